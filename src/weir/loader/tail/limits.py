"""How old and how large the tail may get before it is cut."""

import msgspec

GENERATION_BYTES_MAX = 1024 * 1024 * 1024
"""Above any setting: text columns of one generation must stay within 31-bit offsets."""


class CutLimits(msgspec.Struct, frozen=True):
    """The age and the size at which the tail is cut."""

    age_s: float
    tail_bytes_max: int


def is_full(limits: CutLimits, *, tail_bytes: int) -> bool:
    """Whether a generation may not grow any more."""
    return tail_bytes >= min(limits.tail_bytes_max, GENERATION_BYTES_MAX)
