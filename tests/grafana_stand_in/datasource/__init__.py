"""Requests to data sources."""
