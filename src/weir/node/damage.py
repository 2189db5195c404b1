"""``run/damage``: why a part of the node cannot start and no restart will help.

A child leaves it for the supervisor, whose node ends with these words when it was never ready.
"""

import msgspec

from weir.errors import Corrupt, WeirError
from weir.node.directory import Directory
from weir.storage.local import write_durable

FATAL_CODE = "database_damaged"


class _Damage(msgspec.Struct):
    code: str
    message: str
    hint: str | None


def note_damage(directory: Directory, error: WeirError) -> None:
    """Leaves an error that tells of a damaged database; any other is not kept. May raise."""
    if error.code == FATAL_CODE:
        damage = _Damage(error.code, error.message, error.hint)
        write_durable(directory.damage, [msgspec.json.encode(damage)])


def find_damage(directory: Directory) -> Corrupt | None:
    """What a child has left; None for nothing."""
    try:
        found = msgspec.json.decode(directory.damage.read_bytes(), type=_Damage)
    except FileNotFoundError:
        return None
    return Corrupt(found.message, code=found.code, hint=found.hint)
