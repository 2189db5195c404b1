"""How an edge worker gives way while the node's other processes start beside it.

A flood of events is there at once after a start, and takes all cores: what answers queries, and
what revokes keys, would wait behind it for seconds. Until those are ready a worker takes a share
of a core only. Events are taken all the while, more slowly. Pure: times come in, rests go out.
"""

STARTING_SHARE = 0.25
"""What one worker takes of a core while others start."""

STARTING_S_MAX = 10.0
"""How long a worker gives way at most: longer than a start takes, however much it has to do."""

REST_S_MAX = 0.02
"""The longest rest at a time, by which an answer may come later."""


class GivingWay:
    """One worker's rests, from its start until the others are ready or have had their time."""

    __slots__ = ("_cpu_s", "_ends_s", "_since_s", "is_over")

    def __init__(self, *, now_s: float, cpu_s: float) -> None:
        """``cpu_s`` is what the worker has used of the processor so far."""
        self._ends_s = now_s + STARTING_S_MAX
        self._since_s = now_s
        self._cpu_s = cpu_s
        self.is_over = False
        """It does not begin again when one of the others dies later."""

    def rest_s(self, *, others_are_ready: bool, now_s: float, cpu_s: float) -> float:
        """How long to rest now, in seconds: 0 while the worker keeps within its share."""
        self.is_over |= others_are_ready or now_s >= self._ends_s
        if self.is_over:
            return 0.0
        due_s = (cpu_s - self._cpu_s) / STARTING_SHARE - (now_s - self._since_s)
        rest_s = min(max(due_s, 0.0), REST_S_MAX)
        self._cpu_s, self._since_s = cpu_s, now_s + rest_s
        return rest_s
