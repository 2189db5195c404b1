"""The watermark: every event received before it can be seen."""

import pytest

from tests.unit.loader.rig import Rig, event
from weir.journal.reader import JournalReader
from weir.lake.records import JournalMark
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


def test_first_watermark_is_known_before_anything_is_given_out(rig: Rig) -> None:
    """It lies at the first event that is not read; that one is in the first round, once."""
    received_us = rig.write([event(1)])
    rig.write([event(2)], worker=1)
    readers = readers_of(rig)
    readers.look_ahead()
    assert readers.watermark_us == received_us
    found = readers.read()
    assert len(found.frames) == 2
    assert found.caught_up
    assert not readers.read().frames


def test_first_watermark_of_journals_that_are_read_is_now(rig: Rig) -> None:
    """Where nothing is missing nothing is held back."""
    rig.write([event(1)])
    rig.writer(0).close()
    rig.writers.clear()
    readers = readers_of(rig)
    spans = readers.read().spans
    marks = {name: JournalMark(span.to_position, span.to_offset) for name, span in spans.items()}
    again = RoundReader(
        LocalJournals(rig.directory.journals, quarantine=rig.directory.quarantine, clock=rig.clock),
        marks,
        rig.clock,
    )
    before_us = rig.clock.us
    again.look_ahead()
    assert again.watermark_us > before_us


def test_first_watermark_promises_nothing_of_a_journal_that_cannot_be_read(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may hold anything; once it can be read again nothing of it is missing."""
    rig.write([event(1)])
    readers = readers_of(rig)
    with monkeypatch.context() as patched:

        def refuse(*_: object) -> None:
            raise OSError

        patched.setattr(JournalReader, "durable_position", refuse)
        readers.look_ahead()
    assert readers.watermark_us == 0
    assert len(readers.read().frames) == 1


def test_watermark_of_a_resumed_cut_is_that_of_what_is_read(rig: Rig) -> None:
    """It grows with what is read again, and stays before what is not."""
    rig.write([event(1)])
    spans = readers_of(rig).read().spans
    later_us = rig.write([event(2)])
    other_us = rig.write([event(3)], worker=1)
    readers = readers_of(rig)
    readers.look_ahead()
    first_us = readers.watermark_us
    found = readers.read(until=spans)
    assert len(found.frames) == 1
    assert first_us <= found.watermark_us <= min(later_us, other_us)
    assert len(readers.read().frames) == 2
