"""PostgreSQL and MySQL behind one small interface."""
