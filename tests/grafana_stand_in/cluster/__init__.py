"""What instances that share a database do together, and the faults that make it visible."""
