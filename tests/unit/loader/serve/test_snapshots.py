"""Snapshots are consistent while commits run, and what a reader holds does not change."""

import asyncio
import mmap
import os
import threading
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.unit.loader.rig import Rig, Running, event, wait_until


def count_rows(rig: Rig, loader: Running) -> int:
    """Rows of one snapshot: its files' and its tail's, read for real."""
    files, tail = loader.snapshot_files()
    committed: int = sum(pq.read_metadata(rig.directory.root / path).num_rows for path in files)
    return committed + (0 if tail is None else int(tail.num_rows))


def test_snapshots_neither_lose_nor_repeat_while_commits_run(new_rig: Callable[..., Rig]) -> None:
    """Counts only grow, and never exceed what was written, over many commits."""
    rig = new_rig(cut_age_s=0.02)
    counts: list[int] = []
    over = threading.Event()
    with rig.running() as loader:

        def watch() -> None:
            while not over.is_set():
                counts.append(count_rows(rig, loader))

        watcher = threading.Thread(target=watch)
        watcher.start()
        for number in range(60):
            rig.write([event(5 * number + n) for n in range(5)])
            rig.write([event(5 * number)], worker=1)
            if number == 30:
                wait_until(lambda: loader.status().commit_id > 0)
        loader.cut()
        over.set()
        watcher.join()
        assert count_rows(rig, loader) == 300
        assert loader.status().commit_id > 1
    assert counts == sorted(counts)
    assert counts[-1] <= 300


def test_readers_keep_what_they_were_given(rig: Rig) -> None:
    """A mapped tail stays the same while it grows, and after the commit that drops it."""
    rig.write([event(1)])
    with rig.running() as loader:
        loader.wait_for_rows(1)
        first = asyncio.run(loader.client.snapshot(1))
        rig.write([event(2)])
        loader.wait_for_rows(2)
        second = asyncio.run(loader.client.snapshot(1))
        loader.cut()
        rig.write([event(3)])
        assert loader.wait_for_rows(1)["event_id"].to_pylist() == ["id-3"]
    for shared, ids in ((first, ["id-1"]), (second, ["id-1", "id-2"])):
        assert shared.descriptor is not None
        length = shared.snapshot.tail_byte_count
        with mmap.mmap(shared.descriptor, length, prot=mmap.PROT_READ) as view:
            content = view[:length]
        os.close(shared.descriptor)
        assert pa.ipc.open_stream(content).read_all()["event_id"].to_pylist() == ids


def test_readers_cannot_write_into_the_tail(rig: Rig) -> None:
    """The descriptor that a query gets is read-only."""
    rig.write([event(1)])
    with rig.running() as loader:
        loader.wait_for_rows(1)
        shared = asyncio.run(loader.client.snapshot(1))
        assert shared.descriptor is not None
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(shared.descriptor, b"x")
        os.close(shared.descriptor)
        assert loader.wait_for_rows(1).num_rows == 1
