"""Counters of an edge worker: refused events become tally frames, and nothing else does."""

import msgspec

from weir.domain.frame import Draft
from weir.ingest.counters import Counters


def _drafts(counters: Counters) -> list[list[list[int]]]:
    drafts: list[Draft] = []
    counters.hand_on(drafts.append)
    return [msgspec.msgpack.decode(draft.body) for draft in drafts]


def test_refusals_are_summed_by_key_and_minute() -> None:
    """One frame for all of them; received and rejected are the same number."""
    counters = Counters()
    for key_id, minute, events in [(1, 5, 1), (1, 5, 10), (1, 6, 2), (2, 5, 3)]:
        counters.count_refused(
            "native", key_id=key_id, events=events, now_us=minute * 60_000_000 + 7
        )
    assert sorted(_drafts(counters)[0]) == [[1, 5, 11, 11], [1, 6, 2, 2], [2, 5, 3, 3]]
    assert _drafts(counters) == []


def test_nothing_is_handed_on_when_nothing_was_refused() -> None:
    """What was taken is in frames of its own."""
    counters = Counters()
    counters.count_taken("native", 5, 2, body_bytes=100)
    counters.count_status(202)
    assert _drafts(counters) == []


def test_tally_frame_holds_no_events() -> None:
    """It belongs to nobody and moves no offset."""
    counters = Counters()
    counters.count_refused("native", key_id=1, events=1, now_us=0)
    drafts: list[Draft] = []
    counters.hand_on(drafts.append)
    assert (drafts[0].event_count, drafts[0].flags, drafts[0].place.tenant_id) == (0, 2, 0)
