"""What can go wrong between the server and its database, independent of which database it is."""

from __future__ import annotations


class DatabaseError(Exception):
    """The database refused a statement; the connection is still good."""


class ConnectionLost(DatabaseError):
    """The connection cannot be used any more, or none could be made."""


class ReadOnly(ConnectionLost):
    """The server behind this connection takes no writes (a standby, or a leader that was demoted): leave it."""


class UniqueViolation(DatabaseError):
    """Another writer was faster with the same key."""


class Conflict(DatabaseError):
    """Deadlock or serialisation failure: the transaction may be tried again."""


class InvalidValue(DatabaseError):
    """A value that does not fit its column."""
