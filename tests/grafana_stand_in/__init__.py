"""A stand-in for Grafana: same grafana.ini, same provisioning files, same HTTP API, same kind of database, same archive layout."""
