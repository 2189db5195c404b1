"""``weir ledger``: what became of all events of a node, those whose sender nobody knows too."""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import click
import msgspec

from weir.catalog.adapter import SqlCatalog
from weir.cli import options
from weir.cli.command import Command, tell
from weir.cli.loader import open_loader
from weir.cli.node import find_directory, loader_runs
from weir.cli.output import print_json, print_table
from weir.clock import SystemClock
from weir.domain.outcome import UNATTRIBUTED_KEY, LedgerRow
from weir.domain.times import MINUTE_US
from weir.errors import NotFound
from weir.node.directory import Directory
from weir.storage.database import sqlite_url

COUNTS = LedgerRow.__struct_fields__[2:]


@click.command(cls=Command)
@click.option(
    "--hours",
    type=click.IntRange(1, 24 * 366),
    default=24,
    show_default=True,
    help="How far back.",
)
@options.data_dir
@options.as_json
def ledger(hours: int, data_dir: str | None, as_json: bool) -> None:
    """Show what became of all events of a node.

    Events in damaged parts of a journal are counted for nobody, because their sender cannot be
    read any more: quarantined when the bytes are still there (DIR/quarantine), else lost. Each
    minute in which that was found is shown. A node that does not run has nothing in flight: what
    its journals hold is not counted yet.
    """
    directory = find_directory(data_dir)
    if not directory.catalog_db.exists():
        raise NotFound(
            f"There is no node in {directory.root.absolute()} that has run.",
            code="node_not_found",
            hint="Name its directory with --data or WEIR_DATA_DIR.",
        )
    to_minute = SystemClock().now_us() // MINUTE_US + 1
    rows = _rows(directory, from_minute=to_minute - 60 * hours, to_minute=to_minute)
    unknown = [row for row in rows if row.key_id == UNATTRIBUTED_KEY]
    totals = {
        "keys": _sum(row for row in rows if row.key_id != UNATTRIBUTED_KEY),
        "nobody": _sum(unknown),
    }
    damage = [
        {"minute": _minute(row), "quarantined": row.quarantined, "lost": row.lost}
        for row in unknown
    ]
    if as_json:
        told = {who: {name: getattr(row, name) for name in COUNTS} for who, row in totals.items()}
        print_json({**told, "balance": sum(row.balance for row in rows), "damage": damage})
        return
    table = [(who, *(getattr(row, name) for name in COUNTS)) for who, row in totals.items()]
    print_table(("sent by", *COUNTS), table)
    if damage:
        tell("Damage was found in these minutes; look at quarantine/ and at the disk:")
        print_table(("minute", "quarantined", "lost"), [tuple(each.values()) for each in damage])


def _rows(directory: Directory, *, from_minute: int, to_minute: int) -> Sequence[LedgerRow]:
    if loader_runs(directory):
        with open_loader(directory) as client:
            return asyncio.run(
                client.ledger(key_ids=None, from_minute=from_minute, to_minute=to_minute)
            )
    with contextlib.closing(SqlCatalog.open(sqlite_url(directory.catalog_db))) as catalog:
        return catalog.ledger(key_ids=None, from_minute=from_minute, to_minute=to_minute)


def _sum(rows: Iterable[LedgerRow]) -> LedgerRow:
    total = dict.fromkeys(COUNTS, 0)
    for row in rows:
        for name in COUNTS:
            total[name] += getattr(row, name)
    return msgspec.convert({"key_id": 0, "minute": 0, **total}, LedgerRow)


def _minute(row: LedgerRow) -> datetime:
    return datetime.fromtimestamp(row.minute * 60, UTC)
