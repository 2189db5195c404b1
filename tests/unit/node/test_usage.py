"""The table of monthly usage: one writer per cell, rows of another month hold nothing."""

from pathlib import Path

import pytest

from tests.unit.catalog.test_adapter import make_commit, put
from tests.unit.ingest.node import StillClock
from weir.catalog.adapter import SqlCatalog
from weir.catalog.month_usage import used_in_month
from weir.domain.times import month_of
from weir.errors import Unavailable
from weir.lake.records import UsageRow
from weir.node.directory import Directory
from weir.node.usage import NOT_STARTED, UsageTable, create_usage_table
from weir.server.run_folder import prepare_run
from weir.storage.database import sqlite_url

MONTH = 680


def _table(tmp_path: Path, *, workers: int) -> UsageTable:
    create_usage_table(tmp_path / "usage", workers=workers, month=0, used={})
    return UsageTable.open(tmp_path / "usage")


def test_usage_is_the_sum_over_workers_and_loader(tmp_path: Path) -> None:
    """Every process sees what every other one counted, at once."""
    table = _table(tmp_path, workers=2)
    counts = [table.begin(worker, MONTH, offset=0) for worker in range(2)]
    table.open_month(MONTH)
    counts[0][7] += 5
    counts[1][7] += 6
    table.carry(7, -1)
    assert UsageTable.open(tmp_path / "usage").used(7, MONTH) == 10
    assert table.used(8, MONTH) == 0


def test_rows_of_another_month_hold_nothing(tmp_path: Path) -> None:
    """A worker that has not turned yet does not bring its old month into the new one."""
    table = _table(tmp_path, workers=2)
    counts = [table.begin(worker, MONTH, offset=0) for worker in range(2)]
    table.open_month(MONTH)
    table.carry(7, 100)
    for each in counts:
        each[7] += 5
    assert table.used(7, MONTH + 1) == 0
    table.begin_month(0, MONTH + 1)
    assert table.used(7, MONTH + 1) == 0
    counts[0][7] += 1
    assert table.used(7, MONTH + 1) == 1
    table.open_month(MONTH + 1)
    assert table.used(7, MONTH + 1) == 1


def test_restarted_worker_goes_on_from_what_it_had(tmp_path: Path) -> None:
    """Its counts stay, and are noted beside its start."""
    table = _table(tmp_path, workers=1)
    assert table.open_start(0) == NOT_STARTED
    table.open_month(MONTH)
    table.begin(0, MONTH, offset=0)[7] += 5
    start = table.open_start(0)
    assert start is not None
    table.settle(0, start)
    assert table.open_start(0) is None
    table.begin(0, MONTH, offset=4)
    assert table.used(7, MONTH) == 5
    again = table.open_start(0)
    assert again is not None
    assert (again.offset, table.at_start(0, 7)) == (4, 5)
    table.settle(0, start)
    assert table.open_start(0) == again


def test_a_start_knows_what_the_catalog_knows(tmp_path: Path) -> None:
    """Of this month, from the first request on; a catalog that cannot be read is no obstacle."""
    directory = Directory(tmp_path)
    clock = StillClock()
    month = month_of(clock.now_us())
    prepare_run(directory, workers=2, clock=clock)
    assert UsageTable.open(directory.usage).used(7, month) == 0

    catalog = SqlCatalog.open(sqlite_url(directory.catalog_db))
    usage = (
        UsageRow("00", 7, month, 50, 3),
        UsageRow("01", 7, month, 20, 0),
        UsageRow("00", 7, month - 1, 1000, 0),
        UsageRow("00", 8, month, 1, 0),
    )
    put(catalog, catalog.take_over(), make_commit(1, usage=usage))
    catalog.close()
    prepare_run(directory, workers=2, clock=clock)
    table = UsageTable.open(directory.usage)
    assert (table.used(7, month), table.used(8, month)) == (67, 1)
    table.begin(1, month, offset=0)[7] += 5
    assert table.used(7, month) == 72

    directory.catalog_db.write_bytes(b"no database" * 100)
    with pytest.raises(Unavailable):
        used_in_month(directory.catalog_db, month)
    prepare_run(directory, workers=2, clock=clock)
    assert UsageTable.open(directory.usage).used(7, month) == 0


def test_table_has_its_room_before_it_is_mapped(tmp_path: Path) -> None:
    """A write into a mapped hole of a full disk would kill the process; nobody else may read it."""
    create_usage_table(tmp_path / "usage", workers=2, month=0, used={})
    found = (tmp_path / "usage").stat()
    assert found.st_blocks * 512 >= found.st_size
    assert found.st_mode & 0o777 == 0o600
