"""``run/damage``: why a part of the node cannot start and no restart will help.

A child leaves it for the supervisor, whose node ends with these words when it was never ready: what
is stored is damaged, or of a version of Weir that is newer.
"""

import msgspec

from weir.errors import Failure, WeirError, error_of, failure_of
from weir.node.directory import Directory
from weir.storage.local import write_durable

FATAL_CODES = frozenset({"database_damaged", "journal_version", "newer_database", "newer_format"})
"""Codes of errors that stay as long as what is stored is not another."""


def note_damage(directory: Directory, error: WeirError) -> None:
    """Keeps an error that no restart will help, and no other. Raises ``OSError``."""
    if error.code in FATAL_CODES:
        write_durable(directory.damage, [msgspec.json.encode(failure_of(error))])


def find_damage(directory: Directory) -> WeirError | None:
    """What a child has left; None for nothing."""
    try:
        found = msgspec.json.decode(directory.damage.read_bytes(), type=Failure)
    except FileNotFoundError:
        return None
    return error_of(found)
