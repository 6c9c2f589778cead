"""Backups in Git, with real repositories and real remotes."""
