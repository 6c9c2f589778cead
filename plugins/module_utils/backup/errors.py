# Copyright (c) monitoring.ha contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can go wrong, as types. No message holds a secret."""

from __future__ import annotations


class BackupError(RuntimeError):
    """Base of all errors; the message is a sentence for people."""


class SettingsError(BackupError):
    """The settings cannot be used."""


class GitError(BackupError):
    """Git refused; the message ends with its own words."""


class Rejected(GitError):
    """A remote has commits that are not known here: somebody else has pushed."""


class Stopped(BackupError):
    """The run was told to end, mostly because it took longer than it may."""
