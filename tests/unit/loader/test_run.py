"""The loader from journal to lake: what is visible, what is committed, what is counted."""

import asyncio
import contextlib
import errno
import itertools
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from prometheus_client import REGISTRY

from tests.unit.loader.rig import DEADLINE_S, Rig, event, wait_until
from weir.domain.frame import FrameFlag, FrameMeta, encode_meta
from weir.domain.outcome import UNATTRIBUTED_KEY
from weir.errors import Conflict, Unavailable
from weir.lake.raw import decode_raw
from weir.lake.store import LocalStore
from weir.loader import run
from weir.loader.commit import committer
from weir.loader.serve import client
from weir.node.board import Slot
from weir.node.sockets import connect_unix


def test_events_are_visible_then_committed(rig: Rig) -> None:
    """Rows stand in the tail at once and in a file after a cut, never in both."""
    rig.write([event(1), event(2)])
    with rig.running() as loader:
        tail = loader.wait_for_rows(2)
        assert tail["event_id"].to_pylist() == ["id-1", "id-2"]
        assert loader.snapshot_files()[0] == ()
        assert loader.cut().commit_id == 1
        files, tail = loader.snapshot_files()
        assert len(files) == 1
        assert tail is None
    rows = rig.committed()
    assert [row["event_id"] for row in rows] == ["id-1", "id-2"]
    assert rows[0]["endpoint"] == "e-7"


def test_projects_do_not_see_each_other(rig: Rig) -> None:
    """A snapshot holds one project's rows; equal ids of two projects are no duplicates."""
    rig.write([event(1)], project=1)
    rig.write([event(1), event(2)], project=2)
    with rig.running() as loader:
        assert loader.wait_for_rows(1, project=1).num_rows == 1
        assert loader.wait_for_rows(2, project=2).num_rows == 2
        assert loader.snapshot_files(project=3) == ((), None)
        loader.cut()
        assert len(loader.snapshot_files(project=1)[0]) == 1
    assert [len(rig.committed(project)) for project in (1, 2, 3)] == [1, 2, 0]


def test_rows_are_sorted_and_split_by_day(rig: Rig) -> None:
    """One file per UTC day of received_at, each in the order of the sort key."""
    for name in ("b", "a"):
        rig.write([event(number, event=name, user_id=f"u{number}") for number in (3, 1, 2)])
        rig.write([event(number) for number in (8, 9)])
        rig.clock.us += 86_400_000_000
    with rig.running() as loader:
        loader.cut()
    rows = rig.committed()
    assert len({row["received_at"].date() for row in rows}) == len(rig.open_catalog().load().files)
    keys = [(row["received_at"].date(), row["event"]) for row in rows]
    assert keys == sorted(keys)


def test_large_files_get_columns_that_every_snapshot_tells_of(rig: Rig) -> None:
    """What is known of them survives a restart, and the next commit chooses the same again."""
    ids = itertools.count()
    for _ in range(2):
        for _ in range(5):
            rig.write([event(next(ids), properties={"plan": "pro", "n": n}) for n in range(1000)])
        with rig.running() as loader:
            loader.cut()
            shared = asyncio.run(loader.client.snapshot(1))
    snapshot = shared.snapshot
    assert len(snapshot.files) == 2
    assert len({file.layout for file in snapshot.files}) == 1
    [layout] = snapshot.layouts
    assert [choice.name for choice in layout.choices] == ["p_n__i64", "p_plan__text"]
    assert {row["p_plan__text"] for row in rig.committed()} == {"pro"}


def test_board_tells_readiness_commit_and_watermark(rig: Rig) -> None:
    """The board says when questions are answered and how fresh queries are."""
    received_us = rig.write([event(1)])
    board = rig.board()
    assert board.get(Slot.LOADER_READY) == 0
    with rig.running() as loader:
        wait_until(lambda: board.get(Slot.LOADER_READY) == 1)
        wait_until(lambda: board.get(Slot.WATERMARK_US) > received_us)
        loader.cut()
        assert board.get(Slot.COMMIT_ID) == 1
        assert loader.status().backlog_bytes == 0


def test_new_and_workerless_journals_are_read(rig: Rig) -> None:
    """Journals are found by their directories, whenever they appear."""
    rig.write([event(1)], worker=5)
    with rig.running() as loader:
        loader.wait_for_rows(1)
        rig.write([event(2)], worker=6)
        loader.wait_for_rows(2)


def test_age_and_stop_make_cuts(new_rig: Callable[..., Rig]) -> None:
    """An old tail is committed without being asked; what is left is committed at the end."""
    rig = new_rig(cut_age_s=0.05)
    rig.write([event(1)])
    with rig.running() as loader:
        wait_until(lambda: loader.status().commit_id == 1)
        rig.write([event(2)])
    assert len(rig.committed()) == 2


def test_size_makes_cuts_and_bounds_the_tail(new_rig: Callable[..., Rig]) -> None:
    """A tail at its limit is committed; everything arrives once."""
    rig = new_rig(tail_bytes_max=65536)
    for number in range(40):
        rig.write([event(100 * number + n, properties={"x": "y" * 200}) for n in range(20)])
    with rig.running() as loader:
        wait_until(lambda: loader.status().commit_id >= 1)
        loader.cut()
    assert len({row["event_id"] for row in rig.committed()}) == len(rig.committed()) == 800


def test_committed_journal_files_are_removed(rig: Rig) -> None:
    """Journal files below the cut expire; reading goes on from there after a restart."""
    for number in range(30):
        rig.write([event(number, properties={"x": "y" * 100_000})])
    before = len(list(rig.directory.journal(0).iterdir()))
    with rig.running() as loader:
        loader.cut()
    assert len(list(rig.directory.journal(0).iterdir())) < before
    rig.write([event(99)])
    with rig.running() as loader:
        loader.cut()
    assert len(rig.committed()) == 31


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"poison", {"event_count": 2}),
        (b"not json", {"event_count": 1}),
        (b'[{"event":"a"}]', {"event_count": 2}),
        (b'[{"event":"a"}]', {"event_count": 1, "dialect": 99}),
        (b'[{"event":"a\\ud800"}]', {"event_count": 1}),
        (b'[{"event":"a","properties":{"x":"\xff"}}]', {"event_count": 1}),
        (b'[{"event":"a"}]', {"event_count": 1, "meta": b"\xc1"}),
    ],
)
def test_frame_that_cannot_be_loaded_is_dead_lettered(
    rig: Rig, body: bytes, fields: dict[str, Any]
) -> None:
    """It is kept whole with its reason, and neither its project nor another one suffers."""
    rig.write([event(1)])
    rig.write(body, key=5, **fields)
    rig.write([event(2)])
    rig.write([event(3)], project=2)
    with rig.running() as loader:
        loader.cut()
    assert [row["event_id"] for row in rig.committed()] == ["id-1", "id-2"]
    assert len(rig.committed(2)) == 1
    catalog = rig.open_catalog()
    (letter,) = catalog.dead_letters(1, limit=10)
    catalog.close()
    assert letter.event_count == fields["event_count"]
    assert letter.reason
    frames = list(decode_raw((rig.directory.root / letter.raw_path).read_bytes()))
    assert body in [frame.body for frame in frames]
    total = rig.ledger_total()
    assert total.dead_lettered == fields["event_count"]
    assert total.balance == 0


def test_raw_file_replays_every_frame(rig: Rig) -> None:
    """The frames of a project come back as they lay in the journal, place and time included."""
    meta = encode_meta(FrameMeta(topic="t/1"))
    times = [rig.write([event(number)], meta=meta, refused_count=number) for number in range(3)]
    with rig.running() as loader:
        loader.cut()
    (path,) = (rig.directory.root / "raw").rglob("*.zst")
    frames = list(decode_raw(path.read_bytes()))
    assert [frame.received_at_us for frame in frames] == times
    assert [frame.refused_count for frame in frames] == [0, 1, 2]
    assert {frame.meta for frame in frames} == {meta}
    assert rig.committed()[0]["topic"] == "t/1"


def test_ledger_counts_before_and_after_the_commit(rig: Rig) -> None:
    """Events in flight become outcomes; refusals of the door and of bodies are added."""
    rig.write([event(1), event(1), event(2)], refused_count=2, key=3)
    rig.write([event(2, properties={"n": -1})], key=4)
    tally = msgspec.msgpack.encode([[3, 29_000_000, 10, 10], [9, 29_000_000, 1, 1]])
    rig.write(tally, event_count=0, flags=int(FrameFlag.TALLY))
    with rig.running() as loader:
        loader.wait_for_rows(2)
        before = {row.key_id: row for row in loader.ledger(by="total")}
        assert (before[3].received, before[3].rejected, before[3].in_flight) == (15, 12, 3)
        assert (before[4].in_flight, before[9].rejected) == (1, 1)
        loader.cut()
        after = {row.key_id: row for row in loader.ledger(by="total")}
        assert [row.key_id for row in loader.ledger(key_ids=[4], by="total")] == [4]
    assert (after[3].stored, after[3].duplicate, after[3].duplicate_conflict) == (2, 1, 0)
    assert (after[4].duplicate, after[4].duplicate_conflict) == (1, 1)
    assert all(row.balance == 0 for rows in (before, after) for row in rows.values())


def test_damaged_frame_is_quarantined_in_the_ledger(rig: Rig) -> None:
    """Events that nobody can read are admitted under no key, and the ledger balances."""
    for number in range(3):
        rig.write([event(number, properties={"x": f"mark-{number}"})])
    (path,) = (p for p in rig.directory.journal(0).iterdir() if b"mark-1" in p.read_bytes())
    with path.open("r+b") as file:
        file.seek(path.read_bytes().index(b"mark-1"))
        file.write(b"X")
    with rig.running() as loader:
        loader.cut()
        rows = {row.key_id: row for row in loader.ledger(by="total")}
    assert rows[UNATTRIBUTED_KEY].quarantined == 1
    assert rows[1].stored == 2
    assert all(row.balance == 0 for row in rows.values())


def test_full_disk_delays_the_commit_and_loses_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commits are tried again until they succeed; meanwhile the rows stay visible."""
    monkeypatch.setattr(committer, "RETRY_FIRST_S", 0.01)
    full = threading.Event()
    refused = threading.Event()
    full.set()

    class FullStore(LocalStore):
        def write(self, path: str, content: bytes | memoryview) -> None:
            if full.is_set():
                refused.set()
                raise OSError(errno.ENOSPC, "No space left on device")
            super().write(path, content)

    rig.wrap = lambda wiring: replace(wiring, store=FullStore(rig.directory.root))
    rig.write([event(1)])
    with rig.running() as loader:
        loader.wait_for_rows(1)
        cutting = threading.Thread(target=loader.cut)
        cutting.start()
        assert refused.wait(DEADLINE_S)
        rig.write([event(2)])
        loader.wait_for_rows(2)
        full.clear()
        cutting.join(DEADLINE_S)
        assert loader.status().commit_id >= 1
    assert sorted(row["event_id"] for row in rig.committed()) == ["id-1", "id-2"]


def test_loader_that_was_replaced_ends(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once another one has taken over, nothing can be committed and the loader ends."""
    rig.write([event(1)])

    def run_until_fenced() -> None:
        with rig.running() as loader:
            loader.wait_for_rows(1)
            catalog = rig.open_catalog()
            catalog.take_over()
            catalog.close()
            monkeypatch.setattr(client, "PATIENCE_S", 0.1)  # no other one will come
            with pytest.raises(Unavailable):
                loader.cut()

    with pytest.raises(Conflict) as caught:
        run_until_fenced()
    assert caught.value.code == "fenced"
    assert rig.committed() == []


def test_second_loader_is_refused(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock holds for as long as the first one lives."""
    monkeypatch.setattr(run, "LOCK_PATIENCE_S", 0.1)
    with rig.running() as loader:
        loader.status()
        with pytest.raises(Conflict, match="held by process"):
            rig.wiring().run(threading.Event())
    with rig.running() as loader:
        loader.status()


def test_loader_that_is_away_is_unavailable(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client waits a little and then says so; one that was closed says so at once."""
    with rig.running() as loader:
        loader.status()
    with pytest.raises(Unavailable):
        loader.status()
    monkeypatch.setattr(client, "PATIENCE_S", 0.1)
    asking = client.LoaderClient(rig.directory.loader_socket)
    with pytest.raises(Unavailable):
        asyncio.run(asking.status())
    asking.close()


def test_unknown_endpoint_is_named_by_its_number(rig: Rig) -> None:
    """Rows of what the registry does not know are kept all the same."""
    (rig.directory.registry).unlink()
    rig.write([event(1)])
    with rig.running() as loader:
        assert loader.wait_for_rows(1)["endpoint"].to_pylist() == ["7"]


def test_nonsense_on_the_socket_harms_nobody(rig: Rig) -> None:
    """A peer that speaks something else is hung up on; others are answered."""
    with rig.running() as loader:
        loader.status()
        for nonsense in (b"GET / HTTP/1.1\r\n\r\n", b"\x01\x00\x00\x00\x00\xc1"):
            peer = connect_unix(rig.directory.loader_socket, timeout_s=5)
            peer.sendall(nonsense)
            with contextlib.suppress(ConnectionResetError):
                assert peer.recv(1) == b""
            peer.close()
        assert loader.status().commit_id == 0


def test_trace_finds_every_copy_and_no_other_project_s(rig: Rig) -> None:
    """In memory and in raw files, dead letters with their reason, each once."""
    rig.write([event(1)])
    rig.write([event(1)], project=2)
    rig.write(b"poison", event_count=1)

    def trace(event_id: str, at_us: int | None) -> list[tuple[str, bool, str | None]]:
        found = asyncio.run(loader.client.trace(1, event_id, received_at_us=at_us))
        assert found.complete
        return [(each.journal_id, each.committed, each.reason) for each in found.copies]

    with rig.running() as loader:
        loader.wait_for_in_flight(3)
        stored_us = loader.wait_for_rows(1)["received_at"].cast("int64").to_pylist()[0]
        assert trace("id-1", stored_us) == [("00", False, None)]
        [(_, committed, reason)] = trace("poison", None)
        assert not committed
        assert reason is not None
        assert reason.startswith("RecursionError")
        loader.cut()
        again_us = rig.write([event(1)])
        loader.wait_for_in_flight(1)
        assert trace("id-1", stored_us) == [("00", True, None), ("00", False, None)]
        assert again_us > stored_us
        [(_, committed, reason)] = trace("poison", None)
        assert committed
        assert trace("id-2", stored_us) == []


def test_unreadable_tally_is_told_and_holds_nothing_up(rig: Rig) -> None:
    """The events around it are loaded; the log says that refusals are missing."""

    def told() -> float:
        labels = {"happening": "tally_unreadable"}
        return REGISTRY.get_sample_value("weir_happenings_total", labels) or 0.0

    before = told()
    rig.write([event(1)])
    rig.write(b"junk", event_count=0, flags=int(FrameFlag.TALLY))
    rig.write([event(2)])
    with rig.running() as loader:
        loader.wait_for_rows(2)
        loader.cut()
    assert told() > before
    assert len(rig.committed()) == 2
    assert rig.ledger_total().received == 2
