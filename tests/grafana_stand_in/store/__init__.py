"""What the HTTP API and file provisioning both do to the database."""
