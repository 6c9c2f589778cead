"""HTTP: sockets, messages, routes and what happens to every request."""
