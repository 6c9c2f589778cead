"""Grafana as code, against the stand-in."""
