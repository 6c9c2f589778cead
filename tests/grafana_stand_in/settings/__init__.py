"""grafana.ini as Grafana reads it."""
