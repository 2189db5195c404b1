"""Whether a client sends its request fast enough. Pure: time is handed in.

A request has windows of one length, one after another. In the first its head must arrive; in each
that ends while its body arrives, a least number of bytes must have come. So a client may be slow,
and may pause for less than a window; a fast start buys no silence later.
"""

from enum import Enum


class ReceiveRate(Enum):
    """What a look at a half-received request says."""

    RUNNING = "the window is not over"
    KEPT = "it is over, and enough arrived: the next one begins"
    TOO_SLOW = "it is over, and too little arrived"


def receive_rate(
    elapsed_s: float, arrived_bytes: int, *, window_s: float, bytes_per_s_min: int
) -> ReceiveRate:
    """The rate of a request ``elapsed_s`` into its window, with so much of its body in it."""
    if elapsed_s <= window_s:
        return ReceiveRate.RUNNING
    return (
        ReceiveRate.KEPT if arrived_bytes >= elapsed_s * bytes_per_s_min else ReceiveRate.TOO_SLOW
    )
