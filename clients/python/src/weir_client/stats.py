"""Counts of what a client did."""

from __future__ import annotations

from typing import NamedTuple


class Stats(NamedTuple):
    """Counts since the client was made, in events unless the name says otherwise.

    ``taken`` counts what the client took on, events left in the spool by an earlier run
    included; ``delivered`` what the node says is on its disk; ``lost`` what ``on_loss`` was told
    of, whether taken or not; ``pending`` what waits now.
    """

    taken: int
    delivered: int
    lost: int
    pending: int
    requests: int
    retries: int
    """Requests that followed a failed one."""
