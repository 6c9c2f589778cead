"""File provisioning."""
