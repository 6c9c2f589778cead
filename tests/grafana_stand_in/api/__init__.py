"""The HTTP API below /api."""
