"""Raw payload files expire while traces read them and queries read the lake."""

import asyncio
import errno
import os
import threading
from collections.abc import Callable
from dataclasses import replace

from tests.unit.loader.rig import Rig, event
from weir.lake.store import LocalStore

DAY_US = 86_400_000_000


def test_traces_and_queries_go_on_while_raw_files_expire(new_rig: Callable[..., Rig]) -> None:
    """A trace finds the copy or, once its file has gone, none; the event itself stays."""
    rig = new_rig(raw_retention_days=1)
    over = threading.Event()
    found: list[int] = []
    rows: list[int] = []
    with rig.running() as loader:
        received_us = [rig.write([event(number)]) for number in range(10)]
        for _ in range(3):
            rig.write([{"event": "more"}])
            loader.cut()

        def watch() -> None:
            while not over.is_set():
                reply = asyncio.run(loader.client.trace(1, "id-4", received_at_us=received_us[4]))
                assert reply.complete
                found.append(len(reply.copies))
                rows.append(sum(len(path) > 0 for path in loader.snapshot_files()[0]))

        watcher = threading.Thread(target=watch)
        watcher.start()
        while not found:
            threading.Event().wait(0.01)
        rig.clock.us += 2 * DAY_US
        for number in range(3):
            rig.write([event(100 + number)])
            loader.cut()
        done = len(found)
        while len(found) < done + 2:
            threading.Event().wait(0.01)
        over.set()
        watcher.join()
    assert found[0] == 1
    assert found[-1] == 0
    assert found == sorted(found, reverse=True)
    assert rows == sorted(rows)
    assert len(_raw_files(rig)) == 3
    assert "id-4" in {row["event_id"] for row in rig.committed()}


def test_raw_file_that_could_not_be_removed_goes_with_the_next_commit(
    new_rig: Callable[..., Rig],
) -> None:
    """Not only when the node starts again: what has expired may not stay for months."""
    rig = new_rig(raw_retention_days=1)
    refused: list[str] = []

    class StubbornStore(LocalStore):
        def remove(self, path: str) -> None:
            if path.startswith("raw/") and not refused:
                refused.append(path)
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            super().remove(path)

    rig.wrap = lambda wiring: replace(wiring, store=StubbornStore(rig.directory.root))
    with rig.running() as loader:
        rig.write([event(1)])
        loader.cut()
        [expiring] = _raw_files(rig)
        rig.clock.us += 2 * DAY_US
        rig.write([event(2)])
        loader.cut()
        assert expiring in _raw_files(rig)
        assert refused
        rig.write([event(3)])
        loader.cut()
        assert expiring not in _raw_files(rig)
    catalog = rig.open_catalog()
    assert catalog.load().removals == ()
    catalog.close()


def _raw_files(rig: Rig) -> set[str]:
    return {name for name in rig.file_names() if name.startswith("raw/")}
