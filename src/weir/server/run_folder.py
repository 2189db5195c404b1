"""``run/``: what a node's processes share from its start to its stop.

Nothing here loads the metrics, whose library reads at its import where ``run/`` keeps them.
"""

import contextlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from weir import __version__
from weir.catalog.month_usage import used_in_month
from weir.clock import Clock
from weir.control.stored_epoch import stored_epoch
from weir.domain.registry import decode_registry
from weir.domain.times import month_of
from weir.errors import Conflict, Unavailable
from weir.ingest.limits import create_limit_table
from weir.node.board import Board, Slot
from weir.node.directory import Directory
from weir.node.node_file import read_node
from weir.node.usage import create_usage_table
from weir.settings import Settings
from weir.storage.local import FileLock, make_directory, write_durable


class _Kept(NamedTuple):
    """A registry of the node's last life."""

    encoded: bytes
    epoch: int


def directory_of(settings: Settings) -> Directory:
    """The node's directory, by its full path."""
    return Directory(Path(settings.data_dir).resolve())


def prepare_run(directory: Directory, *, workers: int, clock: Clock) -> Board:
    """A new ``run/``: what a node's processes share lives there from start to stop.

    The registry of the last life goes on while it is that of the last change, so that events are
    let in before the api process has opened its database and publishes the next one.
    """
    kept = _kept_registry(directory)
    shutil.rmtree(directory.run, ignore_errors=True)
    make_directory(directory.run)
    make_directory(directory.metrics)
    create_limit_table(directory.limits, workers=workers)
    month = month_of(clock.now_us())
    used: Mapping[int, int] = {}
    with contextlib.suppress(Unavailable):  # the loader meets it too, and tells
        used = used_in_month(directory.catalog_db, month)
    create_usage_table(directory.usage, workers=workers, month=month, used=used)
    board = Board.create(directory.board)
    if kept is not None:
        write_durable(directory.registry, [kept.encoded])
        board.set(Slot.REGISTRY_EPOCH, kept.epoch)
    return board


def _kept_registry(directory: Directory) -> _Kept | None:
    """The registry that was published last, unless something has changed behind it.

    Or may still do so: an api process of the last life that has not ended yet holds the lock.
    """
    lock = FileLock(directory.control_lock, purpose="Control state is in use")
    try:
        encoded = directory.registry.read_bytes()
        registry = decode_registry(encoded)
        lock.acquire()
    except (OSError, msgspec.MsgspecError, Conflict):
        return None
    try:
        epoch = stored_epoch(directory.control_db)
    finally:
        lock.release()
    if registry.version != __version__ or registry.epoch != epoch:
        return None
    return _Kept(encoded, registry.epoch)


def journal_of(directory: Directory, worker: int) -> Path:
    """The journal that a worker writes in this life of the node."""
    return directory.journal(worker, epoch=read_node(directory).epoch)
