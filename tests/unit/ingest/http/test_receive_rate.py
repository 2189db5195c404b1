"""How fast a request has to arrive, decided without a clock."""

import pytest

from weir.ingest.http.receive_rate import ReceiveRate, receive_rate

WINDOW_S = 30.0
RATE = 1000


def _receive_rate(elapsed_s: float, arrived_bytes: int) -> ReceiveRate:
    return receive_rate(elapsed_s, arrived_bytes, window_s=WINDOW_S, bytes_per_s_min=RATE)


@pytest.mark.parametrize("elapsed_s", [0.0, 1.0, 30.0])
def test_nobody_is_receive_rated_before_the_window_is_over(elapsed_s: float) -> None:
    """A pause of less than a window is allowed, whatever came before it."""
    assert _receive_rate(elapsed_s, 0) is ReceiveRate.RUNNING


def test_rate_is_held_against_the_time_that_passed() -> None:
    """At the rate is enough; a look that comes late asks for more."""
    assert _receive_rate(30.5, 30_500) is ReceiveRate.KEPT
    assert _receive_rate(30.5, 30_499) is ReceiveRate.TOO_SLOW
    assert _receive_rate(60.0, 30_500) is ReceiveRate.TOO_SLOW


def test_head_that_is_not_there_is_too_slow() -> None:
    """Nothing of a body can have arrived."""
    assert _receive_rate(30.01, 0) is ReceiveRate.TOO_SLOW
