"""What `make` runs: the demo, and the suite of tests."""
