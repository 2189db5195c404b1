"""Time correction, as docs/guide/sending.md tells it: at each boundary and for any request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.domain.event_time import (
    BELIEVABLE_US,
    SKEW_US,
    TIME_MAX_US,
    TIME_MIN_US,
    Corrected,
    TsSource,
    correct_times,
)

NOW = 1_790_000_000_000_000
HOUR = 3_600_000_000


def correct(
    clients: list[int | None], sent: list[int | None] | None = None, *, server: bool = False
) -> Corrected:
    """The correction of times given relative to ``NOW``, relative to ``NOW`` again."""
    found = correct_times(
        [None if client is None else NOW + client for client in clients],
        [None if each is None else NOW + each for each in (sent or [None] * len(clients))],
        received_us=NOW,
        server_ts=server,
    )
    return Corrected([ts - NOW for ts in found.ts_us], found.sources)


def test_server_ts_overrules_every_claim() -> None:
    """With server_ts the claims do not matter."""
    assert correct([-5, None], [0, None], server=True) == ([0, 0], ["server", "server"])


def test_missing_time_is_received_at() -> None:
    """An event without a time gets ours, even when sent_at shows an error."""
    assert correct([None, None], [None, -HOUR]) == ([0, 0], ["missing", "missing"])


@pytest.mark.parametrize("ahead", [-400 * 24 * HOUR, -1, 0, SKEW_US])
def test_plausible_time_stays(ahead: int) -> None:
    """The past, however far, and 30 s of future stay."""
    assert correct([ahead]) == ([ahead], ["client"])


def test_lone_future_event_moves_to_received_at() -> None:
    """One microsecond above 30 s convicts the clock."""
    assert correct([SKEW_US + 1]) == ([0], ["shifted"])


def test_all_future_events_move_together() -> None:
    """Distances within the request survive; the newest becomes received_at."""
    found = correct([HOUR, HOUR + 5, None, BELIEVABLE_US + 1])
    assert found == ([-5, 0, 0, 0], ["shifted", "shifted", "missing", "clamped"])


def test_mixed_future_events_are_clamped_one_by_one() -> None:
    """One event in the present acquits the clock, so the others are set to received_at."""
    found = correct([SKEW_US, SKEW_US + 1, HOUR])
    assert found == ([SKEW_US, 0, 0], ["client", "clamped", "clamped"])


def test_a_day_ahead_is_the_boundary_of_belief() -> None:
    """At 24 h an event still moves with the others; a microsecond more and it is clamped."""
    found = correct([HOUR, BELIEVABLE_US, BELIEVABLE_US + 1])
    assert found == ([HOUR - BELIEVABLE_US, 0, 0], ["shifted", "shifted", "clamped"])


@pytest.mark.parametrize(
    ("sent", "moved", "source"),
    [
        (-SKEW_US, 0, "client"),
        (-SKEW_US - 1, SKEW_US + 1, "shifted"),
        (SKEW_US, 0, "client"),
        (SKEW_US + 1, -SKEW_US - 1, "shifted"),
        (-BELIEVABLE_US, BELIEVABLE_US, "shifted"),
        (BELIEVABLE_US + 1, 0, "skewed"),
        (-BELIEVABLE_US - 1, 0, "skewed"),
    ],
)
def test_sent_at_moves_within_its_bounds(sent: int, moved: int, source: str) -> None:
    """sent_at tells the error: ignored up to 30 s, applied up to 24 h, flagged beyond."""
    assert correct([-HOUR, 7], [sent, sent]) == ([-HOUR + moved, 7 + moved], [source, source])


def test_good_sent_at_keeps_a_future_claim() -> None:
    """A clock that sent_at proves right may speak of the future."""
    assert correct([HOUR], [0]) == ([HOUR], ["client"])


def test_events_with_sent_at_do_not_judge_those_without() -> None:
    """The two kinds are judged apart when a request mixes them."""
    assert correct([0, HOUR], [0, None]) == ([0, 0], ["client", "shifted"])


def test_result_stays_within_the_calendar() -> None:
    """Neither a claim nor a move leaves the years 1 to 9999."""
    found = correct_times(
        [TIME_MIN_US, TIME_MIN_US - 9 * HOUR, TIME_MAX_US + HOUR],
        [NOW + HOUR, None, NOW],
        received_us=NOW,
        server_ts=False,
    )
    assert found.ts_us == [TIME_MIN_US, TIME_MIN_US, TIME_MAX_US]


_times = st.none() | st.integers(NOW - 3 * BELIEVABLE_US, NOW + 3 * BELIEVABLE_US)


@given(st.lists(st.tuples(_times, st.none() | _times), max_size=8), st.booleans())
def test_correction_keeps_its_promises(
    pairs: list[tuple[int | None, int | None]], server: bool
) -> None:
    """Each source implies its ts; no event without sent_at ends more than 30 s ahead."""
    clients = [client for client, _ in pairs]
    sent = [each for _, each in pairs]
    found = correct_times(clients, sent, received_us=NOW, server_ts=server)
    assert len(found.ts_us) == len(found.sources) == len(pairs)
    for client, each, ts, source in zip(clients, sent, found.ts_us, found.sources, strict=True):
        if source in {TsSource.CLIENT, TsSource.SKEWED}:
            assert ts == client
        elif source is not TsSource.SHIFTED:
            assert ts == NOW
        if each is None:
            assert ts <= NOW + SKEW_US


@given(st.lists(st.integers(NOW, NOW + BELIEVABLE_US), min_size=1, max_size=8))
def test_moving_together_keeps_distances(clients: list[int]) -> None:
    """Shifted events keep their distances from each other."""
    found = correct_times(clients, [None] * len(clients), received_us=NOW, server_ts=False)
    moves = {
        client - ts
        for client, ts, source in zip(clients, found.ts_us, found.sources, strict=True)
        if source is TsSource.SHIFTED
    }
    assert len(moves) <= 1
