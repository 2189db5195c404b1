"""``run/damage``: why a part of the node cannot start and no restart will help.

A child leaves it for the supervisor, whose node ends with these words when it was never ready.
"""

import msgspec

from weir.errors import Failure, WeirError, error_of, failure_of
from weir.node.directory import Directory
from weir.storage.local import write_durable

FATAL_CODE = "database_damaged"


def note_damage(directory: Directory, error: WeirError) -> None:
    """Keeps an error that says a database is damaged, and no other. Raises ``OSError``."""
    if error.code == FATAL_CODE:
        write_durable(directory.damage, [msgspec.json.encode(failure_of(error))])


def find_damage(directory: Directory) -> WeirError | None:
    """What a child has left; None for nothing."""
    try:
        found = msgspec.json.decode(directory.damage.read_bytes(), type=Failure)
    except FileNotFoundError:
        return None
    return error_of(found)
