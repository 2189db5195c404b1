"""The watermark: every event received before it can be seen."""

import pytest

from tests.unit.loader.rig import Rig, event
from weir.journal.reader import JournalReader
from weir.loader.read.journals import LocalJournals
from weir.loader.read.rounds import RoundReader


def readers_of(rig: Rig) -> RoundReader:
    """RoundReader of the rig's journals, from their beginning."""
    journals = LocalJournals(
        rig.directory.journals, quarantine=rig.directory.quarantine, clock=rig.clock
    )
    return RoundReader(journals, {}, rig.clock)


def test_watermark_holds_for_a_journal_that_appeared_a_moment_ago(rig: Rig) -> None:
    """Journals are looked for at every round, so none is passed over."""
    readers = readers_of(rig)
    readers.read()
    received_us = rig.write([event(1)], worker=3)
    found = readers.read()
    assert received_us in [frame.received_at_us for frame in found.frames]


def test_watermark_goes_back_with_the_clock(rig: Rig) -> None:
    """A watermark ahead of the clock would tell of events that have yet to come."""
    rig.write([event(1)])
    readers = readers_of(rig)
    readers.read()
    before_us = readers.read().watermark_us
    rig.clock.us -= 30_000_000
    assert readers.read().watermark_us < before_us - 20_000_000


def test_watermark_waits_for_a_journal_that_a_power_cut_left_unrecovered(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it published may be old: until somebody has recovered it, nothing is promised."""
    monkeypatch.setattr("weir.journal.state.boot_number", lambda: 1)
    received_us = rig.write([event(1)])  # its writer stays, so nobody else recovers the journal
    monkeypatch.setattr("weir.journal.state.boot_number", lambda: 2)
    found = readers_of(rig).read()
    assert not found.caught_up
    assert found.watermark_us <= received_us
    monkeypatch.setattr("weir.journal.state.boot_number", lambda: 1)
    found = readers_of(rig).read()
    assert found.caught_up
    assert found.watermark_us > received_us


def test_watermark_stays_where_an_unreadable_journal_was_read(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is promised of what came after."""
    rig.write([event(1)])
    readers = readers_of(rig)
    readers.read()
    received_us = rig.write([event(2)])

    def refuse(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(JournalReader, "durable_position", refuse)
    assert readers.read().watermark_us <= received_us
    rig.clock.us += 60_000_000
    assert readers.read().watermark_us <= received_us


def test_watermark_of_a_resumed_cut_ends_with_it(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies behind an unfinished cut was not read with it, and may be unreadable now."""
    rig.write([event(1)])
    spans = readers_of(rig).read().spans
    received_us = rig.write([event(2)])
    readers = readers_of(rig)
    assert len(readers.read(until=spans).frames) == 1

    def refuse(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(JournalReader, "durable_position", refuse)
    assert readers.read().watermark_us < received_us
