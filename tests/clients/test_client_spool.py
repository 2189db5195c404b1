"""The spool: order, bounds, restarts and damage."""

import os
from pathlib import Path

import pytest

from weir_client.queues import QueueFull
from weir_client.spool import POSITION, Spool, SpoolUnusable

EVENTS = [b'{"event_id":"%d"}' % number for number in range(40)]


def _open(path: Path, bytes_max: int = 1 << 20) -> Spool:
    return Spool(path, bytes_max=bytes_max)


def _all(spool: Spool) -> list[bytes]:
    """Takes everything out, a few at a time."""
    found: list[bytes] = []
    while events := spool.peek(events_max=3, bytes_max=1000).events:
        found += events
        spool.settle(len(events))
    return found


def _filled(path: Path, events: list[bytes] = EVENTS, bytes_max: int = 1 << 20) -> None:
    """A spool that a program left behind."""
    spool = _open(path, bytes_max)
    for event in events:
        spool.put(event)
    spool.close()


def test_events_come_out_as_they_went_in_over_files_and_restarts(tmp_path: Path) -> None:
    """The oldest first, through small files, also when the second run adds its own."""
    _filled(tmp_path, EVENTS[:20], bytes_max=1200)
    assert len(list(tmp_path.glob("*.spool"))) > 2
    spool = _open(tmp_path, bytes_max=4000)
    assert spool.events == 20
    for event in EVENTS[20:]:
        spool.put(event)
    assert _all(spool) == EVENTS
    assert (spool.events, spool.event_bytes) == (0, 0)
    spool.close()
    assert [path.name for path in tmp_path.iterdir()] == [POSITION]


def test_what_is_settled_does_not_come_back(tmp_path: Path) -> None:
    """Neither after an orderly end nor after none, where only the system has the position."""
    _filled(tmp_path)
    spool = _open(tmp_path)
    spool.peek(events_max=7, bytes_max=10_000)
    spool.settle(5)
    spool.abandon()
    again = _open(tmp_path)
    assert again.events == 35
    assert _all(again) == EVENTS[5:]


@pytest.mark.parametrize("text", [b"", b"garbage", b"0000000000000001 0000000000000099 00000000\n"])
def test_a_lost_position_costs_repetition_only(tmp_path: Path, text: bytes) -> None:
    """A power cut may take it: everything is sent again, under the same ids."""
    _filled(tmp_path)
    spool = _open(tmp_path)
    spool.peek(events_max=7, bytes_max=10_000)
    spool.settle(7)
    spool.abandon()
    (tmp_path / POSITION).write_bytes(text)
    assert _all(_open(tmp_path)) == EVENTS


def test_a_torn_end_at_any_byte_costs_one_event(tmp_path: Path) -> None:
    """All before it come out, it is counted, and what a later run adds is whole."""
    _filled(tmp_path / "whole", EVENTS[:3])
    [file] = (tmp_path / "whole").glob("*.spool")
    content = file.read_bytes()
    begin = content.rindex(b"\n", 0, -1) + 1
    for end in range(begin + 1, len(content)):
        directory = tmp_path / str(end)
        directory.mkdir()
        (directory / file.name).write_bytes(content[:end])
        spool = _open(directory)
        spool.put(EVENTS[9])
        assert spool.peek(events_max=9, bytes_max=10_000).events == EVENTS[:2]
        spool.settle(2)
        assert spool.peek(events_max=9, bytes_max=10_000) == ([EVENTS[9]], 1)
        spool.settle(1)
        assert spool.events == 0
        spool.close()


def test_a_flipped_bit_anywhere_costs_no_more_than_its_lines(tmp_path: Path) -> None:
    """Every other event comes out, in order, and nothing that was not put in."""
    _filled(tmp_path / "whole", EVENTS[:4])
    [file] = (tmp_path / "whole").glob("*.spool")
    content = file.read_bytes()
    for place in range(len(content)):
        directory = tmp_path / str(place)
        directory.mkdir()
        changed = bytes([content[place] ^ 0x20])
        (directory / file.name).write_bytes(content[:place] + changed + content[place + 1 :])
        spool = _open(directory)
        found = _all(spool)
        assert set(found) < set(EVENTS[:4])
        assert len(found) >= 2
        assert found == sorted(found)
        assert spool.events == 0
        spool.close()


def test_a_full_spool_takes_no_more_until_something_left_it(tmp_path: Path) -> None:
    """The bound is that of the files; the oldest events are never given up for new ones."""
    spool = _open(tmp_path, bytes_max=1000)
    taken = []
    for event in EVENTS:
        try:
            spool.put(event)
        except QueueFull:
            break
        taken.append(event)
    assert 20 < len(taken) < len(EVENTS)
    assert sum(path.stat().st_size for path in tmp_path.glob("*.spool")) <= 1000
    spool.peek(events_max=10, bytes_max=1000)
    spool.settle(min(10, len(spool._peeked)))
    spool.put(EVENTS[-1])
    spool.close()


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    """The second one hears what to do; after the first has ended it may."""
    first = _open(tmp_path)
    with pytest.raises(SpoolUnusable, match="a directory of its own"):
        _open(tmp_path)
    first.close()
    _open(tmp_path).close()


def test_a_place_that_is_no_directory_is_refused(tmp_path: Path) -> None:
    """With the reason, when the client is made, not with the first event."""
    (tmp_path / "file").touch()
    with pytest.raises(SpoolUnusable, match="exists"):
        _open(tmp_path / "file")


def test_a_disk_that_takes_half_an_event_keeps_none_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is the caller's to tell; the events before and after are whole."""
    spool = _open(tmp_path)
    spool.put(EVENTS[0])
    write, sizes = os.write, iter([5, 0])

    def full(descriptor: int, line: bytes) -> int:
        if size := next(sizes):
            return write(descriptor, line[:size])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(OSError, match="space"):
            spool.put(EVENTS[1])
    spool.put(EVENTS[2])
    assert spool.events == 2
    assert _all(spool) == [EVENTS[0], EVENTS[2]]


@pytest.mark.timeout(120)  # a FIFO would hold its reader for ever
def test_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    """A FIFO, a directory and a link with names of the spool's files; events go beside them."""
    os.mkfifo(tmp_path / "00000001.spool")
    (tmp_path / "00000002.spool").mkdir()
    (tmp_path / "00000003.spool").symlink_to("/dev/zero")
    spool = _open(tmp_path)
    spool.put(EVENTS[0])
    spool.close()
    assert _all(_open(tmp_path)) == EVENTS[:1]
    assert len(list(tmp_path.glob("*.spool"))) == 3


def test_a_spool_that_everybody_may_change_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is the user's directory, so it is used; one that the spool made is never such."""
    _filled(tmp_path / "own", EVENTS[:1])
    assert not caplog.records
    tmp_path.chmod(0o777)
    _filled(tmp_path, EVENTS[:1])
    assert f"every user of this machine may change the spool {tmp_path}" in caplog.text


def test_events_belong_to_their_owner(tmp_path: Path) -> None:
    """Nobody else on the machine may read them."""
    _filled(tmp_path / "spool", EVENTS[:1])
    modes = {path.stat().st_mode & 0o077 for path in (tmp_path / "spool").iterdir()}
    assert modes == {0}
    assert (tmp_path / "spool").stat().st_mode & 0o077 == 0
