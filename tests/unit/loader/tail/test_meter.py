"""The meter against a model: workers that die, loaders that die, months that end."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weir.domain.frame import Frame, Place
from weir.domain.times import month_of, month_start_us
from weir.lake.records import UsageRow
from weir.lake.schema import CANONICAL
from weir.lake.sidecar import concat_ids
from weir.loader.read.frame_columns import columns_of
from weir.loader.read.rounds import Round
from weir.loader.read.rows import Block
from weir.loader.tail.dedup import Verdict
from weir.loader.tail.meter import Meter
from weir.node.usage import UsageTable, create_usage_table

NOW_US = 1_800_000_000_000_000
MONTH = month_of(NOW_US)
NEXT_US = month_start_us(MONTH + 1)
TENANTS = (1, 2)
WORKERS = 2
WRITERS = {"00": 0, "01": 1}


def _frame(worker: int, offset: int, tenant: int, count: int, received_us: int) -> Frame:
    place = Place(tenant, 1, 1, 1)
    numbers = (offset, offset + 1, offset, received_us)
    return Frame(f"{worker:02d}", *numbers, place, 1, 1, count, 0, 0, b"", b"")


def _add(meter: Meter, frames: Sequence[Frame], repeated: Sequence[bool], now_us: int) -> None:
    """One portion; of a frame that is ``repeated`` the first event is a duplicate."""
    rows = [number for number, frame in enumerate(frames) for _ in range(frame.event_count)]
    first = np.flatnonzero(np.diff(rows, prepend=-1)) if rows else np.zeros(0, dtype=np.intp)
    block = Block(
        rows=pa.RecordBatch.from_pylist([], CANONICAL),
        frames=tuple(frames),
        columns=columns_of(frames),
        frame_of=np.array(rows, dtype=np.intp),
        index=np.zeros(len(rows), dtype=np.intp),
        ids=concat_ids([]),
        id_rows=first.astype(np.intp),
        spans={},
        dead=(),
    )
    flags = np.array(repeated, dtype=np.bool_)
    found = Round(list(frames), [], [], {}, 0, True)
    meter.add(found, block, Verdict(flags, flags), now_us=now_us)


class _World:
    """Two workers with journals, a loader, a catalog: what is on disk, and what is in memory."""

    def __init__(self, path: Path) -> None:
        create_usage_table(path, workers=WORKERS, month=0, used={})
        self.table = UsageTable.open(path)
        self.now_us = NOW_US
        self.durable: list[list[Frame]] = [[] for _ in range(WORKERS)]
        self.pending: list[list[tuple[int, int]]] = [[] for _ in range(WORKERS)]
        self.read = [0] * WORKERS
        self.cut = [0] * WORKERS
        self.counts = [self._begin(worker) for worker in range(WORKERS)]
        self.meter = self._meter()

    def take(self, worker: int, tenant: int, count: int) -> None:
        """The door takes a request; it is not on disk yet."""
        self.counts[worker][tenant] += count
        self.pending[worker].append((tenant, count))

    def sync(self, worker: int) -> None:
        """What was taken is on disk."""
        for tenant, count in self.pending[worker]:
            frame = _frame(worker, self._offset(worker), tenant, count, self.now_us)
            self.durable[worker].append(frame)
        self.pending[worker].clear()

    def kill_worker(self, worker: int) -> None:
        """What was not on disk is gone."""
        self.pending[worker].clear()
        self.counts[worker] = self._begin(worker)

    def load(self, worker: int, count: int) -> None:
        """The loader reads on; of every second frame one event is a duplicate."""
        start = self.read[worker]
        frames = self.durable[worker][start : start + count]
        repeated = [self._is_repeated(start + number) for number in range(len(frames))]
        _add(self.meter, frames, repeated, self.now_us)
        self.read[worker] += len(frames)

    def commit(self) -> None:
        """What was read is in the catalog."""
        self.cut = list(self.read)

    def kill_loader(self) -> None:
        """The next one knows the catalog and reads on from there."""
        self.read = list(self.cut)
        self.meter = self._meter()

    def look(self) -> None:
        """What the loader does once a second."""
        self.meter.turn(self.now_us)
        read = zip(self.durable, self.read, strict=True)
        self.meter.settle(
            {
                f"{worker:02d}": sum(frame.event_count for frame in frames[:count])
                for worker, (frames, count) in enumerate(read)
            }
        )

    def settle(self) -> None:
        """Everything comes to rest: no request is on its way, and all is read."""
        for worker in range(WORKERS):
            self.sync(worker)
            self.load(worker, len(self.durable[worker]))
        self.look()

    def truth(self, tenant: int) -> int:
        """Accepted and on disk in this month, less the duplicates."""
        month = month_of(self.now_us)
        return sum(
            frame.event_count - self._is_repeated(number)
            for frames in self.durable
            for number, frame in enumerate(frames)
            if frame.place.tenant_id == tenant and month_of(frame.received_at_us) == month
        )

    def used(self, tenant: int) -> int:
        """What the door believes."""
        return self.table.used(tenant, month_of(self.now_us))

    def _committed(self, month: int) -> list[UsageRow]:
        accepted: Counter[tuple[str, int]] = Counter()
        duplicate: Counter[tuple[str, int]] = Counter()
        for worker, frames in enumerate(self.durable):
            for number, frame in enumerate(frames[: self.cut[worker]]):
                if month_of(frame.received_at_us) == month:
                    key = (frame.journal_id, frame.place.tenant_id)
                    accepted[key] += frame.event_count
                    duplicate[key] += self._is_repeated(number)
        return [UsageRow(*key, month, accepted[key], duplicate[key]) for key in accepted]

    def _meter(self) -> Meter:
        return Meter(self.table, self._committed, writers=WRITERS, now_us=self.now_us)

    def _begin(self, worker: int) -> memoryview:
        month = month_of(self.now_us)
        return self.table.begin(worker, month, offset=self._offset(worker))

    def _offset(self, worker: int) -> int:
        return sum(frame.event_count for frame in self.durable[worker])

    @staticmethod
    def _is_repeated(number: int) -> bool:
        return number % 2 == 1


_STEPS = st.one_of(
    st.tuples(st.just("take"), st.integers(0, 1), st.sampled_from(TENANTS), st.integers(1, 5)),
    st.tuples(st.just("sync"), st.integers(0, 1)),
    st.tuples(st.just("load"), st.integers(0, 1), st.integers(1, 3)),
    st.tuples(st.just("kill_worker"), st.integers(0, 1)),
    st.tuples(st.just("look")),
    st.tuples(st.just("commit")),
    st.tuples(st.just("kill_loader")),
)


@settings(max_examples=150)
@given(steps=st.lists(_STEPS, max_size=30))
def test_count_is_exact_once_all_is_read(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    """Whoever died in between: the door's figure is what lies in the journals."""
    world = _World(tmp_path_factory.mktemp("usage") / "usage")
    for name, *arguments in steps:
        getattr(world, name)(*arguments)
    world.settle()
    assert [world.used(each) for each in TENANTS] == [world.truth(each) for each in TENANTS]


@settings(max_examples=150)
@given(steps=st.lists(_STEPS, max_size=30))
def test_nothing_acknowledged_is_forgotten_on_the_way(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    """At every moment the door knows at least what is on disk, duplicates aside."""
    world = _World(tmp_path_factory.mktemp("usage") / "usage")
    for name, *arguments in steps:
        getattr(world, name)(*arguments)
        for tenant in TENANTS:
            assert world.used(tenant) >= world.truth(tenant)


def test_requests_that_never_reached_the_disk_do_not_fill_a_quota(tmp_path: Path) -> None:
    """Not even when nothing comes after them, because the quota seems full."""
    world = _World(tmp_path / "usage")
    world.take(0, 1, 5)
    world.sync(0)
    world.take(0, 1, 990)
    world.kill_worker(0)
    world.load(0, 1)
    assert world.used(1) == 995
    world.look()
    assert world.used(1) == world.truth(1) == 5


def test_new_month_begins_at_nothing(tmp_path: Path) -> None:
    """What is read later of the old month stays in the old month."""
    world = _World(tmp_path / "usage")
    world.take(0, 1, 5)
    world.sync(0)
    world.now_us = NEXT_US
    for worker in range(WORKERS):
        world.table.begin_month(worker, MONTH + 1)
    world.load(0, 1)
    assert world.used(1) == 0
    for worker in range(WORKERS):
        world.take(worker, 1, 2)
    world.settle()
    assert world.used(1) == world.truth(1) == 3


def test_node_that_starts_knows_what_the_catalog_and_the_journals_hold(tmp_path: Path) -> None:
    """``run/`` is empty then: the catalog counts at once, the journals as they are read."""
    world = _World(tmp_path / "usage")
    for _ in range(3):
        world.take(0, 1, 5)
    world.sync(0)
    world.load(0, 2)
    world.commit()
    create_usage_table(tmp_path / "usage", workers=WORKERS, month=0, used={})
    world.table = UsageTable.open(tmp_path / "usage")
    world.kill_worker(0)
    world.kill_loader()
    assert world.used(1) == 9
    world.load(0, 1)
    assert world.used(1) == world.truth(1) == 14


def test_journal_is_counted_before_its_worker_starts(tmp_path: Path) -> None:
    """A loader that is ready first reads what an earlier run left, and the worker goes on there."""
    create_usage_table(tmp_path / "usage", workers=1, month=0, used={})
    table = UsageTable.open(tmp_path / "usage")
    meter = Meter(table, lambda _month: [], writers={"00": 0}, now_us=NOW_US)
    _add(meter, [_frame(0, 0, 1, 10, NOW_US)], [False], NOW_US)
    meter.settle({"00": 10})
    assert table.used(1, MONTH) == 10
    table.begin(0, MONTH, offset=10)[1] += 4
    meter.settle({"00": 10})
    assert table.used(1, MONTH) == 14


def test_journal_without_a_worker_counts(tmp_path: Path) -> None:
    """A node that was started with fewer workers reads the other journals too."""
    create_usage_table(tmp_path / "usage", workers=1, month=0, used={})
    table = UsageTable.open(tmp_path / "usage")
    rows = [UsageRow("05", 1, MONTH, 10, 1)]
    meter = Meter(table, lambda _month: rows, writers={"00": 0}, now_us=NOW_US)
    assert table.used(1, MONTH) == 9
    _add(meter, [_frame(5, 10, 1, 4, NOW_US)], [True], NOW_US)
    assert table.used(1, MONTH) == 12


def test_restored_node_counts_its_own_journals_and_those_of_the_life_before(tmp_path: Path) -> None:
    """Once each: what the workers write now, and the journals that bear their old names."""
    create_usage_table(tmp_path / "usage", workers=1, month=0, used={})
    table = UsageTable.open(tmp_path / "usage")
    rows = [UsageRow("00", 1, MONTH, 10, 1)]
    meter = Meter(table, lambda _month: rows, writers={"4711abcd-00": 0}, now_us=NOW_US)
    counts = table.begin(0, MONTH, offset=0)
    counts[1] += 5
    own = msgspec.structs.replace(_frame(0, 0, 1, 5, NOW_US), journal_id="4711abcd-00")
    _add(meter, [own, _frame(0, 10, 1, 3, NOW_US)], [False, False], NOW_US)
    meter.settle({"4711abcd-00": 5, "00": 13})
    assert table.used(1, MONTH) == 9 + 5 + 3
