"""``weir backup``: a consistent copy of a node, while it runs or not."""

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from weir.backup.make import Keeper, make_backup, unchanged
from weir.cli import options
from weir.cli.backup.copy_progress import shown_progress
from weir.cli.command import Command, going_on, tell
from weir.cli.loader import open_loader
from weir.cli.node import find_directory
from weir.cli.output import print_json
from weir.clock import Clock, SystemClock
from weir.errors import Conflict, Unavailable
from weir.loader.serve.client import LoaderClient
from weir.node.directory import Directory
from weir.storage.local import FileLock

LEASE_S = 180.0
RENEW_S = 30.0


@click.command(cls=Command)
@click.argument(
    "target", metavar="DIR", type=click.Path(file_okay=False, readable=False, path_type=Path)
)
@click.option("--verify", is_flag=True, help="Read all that DIR has, and mend what is damaged.")
@options.data_dir
@options.as_json
def backup(target: Path, data_dir: str | None, verify: bool, as_json: bool) -> None:
    """Copy a node into DIR, whether it runs or not.

    DIR gets every event that was acknowledged before. A second backup into the same DIR copies
    only what is new or was changed there; until it is complete the first one stays whole. Damage
    that leaves a file's time as it was is found with --verify. API keys are in it as hashes only:
    first-run.json is left out.
    """
    directory = Directory(find_directory(data_dir).root.resolve())
    clock = SystemClock()
    with going_on(), _keeper(directory, clock) as keeper, shown_progress() as progress:
        made = make_backup(
            directory,
            target,
            keeper=keeper,
            clock=clock,
            progress=progress,
            believes=_nothing if verify else unchanged,
        )
    manifest = made.manifest
    made_at = datetime.fromtimestamp(manifest.made_at_us // 1_000_000, UTC)
    if as_json:
        told = {
            "directory": str(target.absolute()),
            "made_at": made_at,
            "files": len(manifest.entries),
            "bytes": manifest.byte_count,
            "copied_bytes": made.copied_bytes,
        }
        print_json(told)
        return
    click.echo(
        f"{len(manifest.entries)} files, {manifest.byte_count} bytes, "
        f"{made.copied_bytes} of them copied now: {target.absolute()}"
    )


def _nothing(_seen: object, _known: object) -> bool:
    """With --verify every file is read."""
    return False


class _Running:
    """Asks the loader of a running node."""

    is_running = True

    def __init__(self, client: LoaderClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._renew_at_s = 0.0

    def settle(self) -> None:
        """A new lease, for the loader may be another one, and a lake commit.

        Without the commit the journals are copied as far as they are.
        """
        self._renew_at_s = 0.0
        self.hold()
        try:
            asyncio.run(self._client.cut())
        except Unavailable as error:
            tell(f"Goes on without a lake commit: {error.message}")

    def hold(self) -> None:
        """Extends the lease when it is time."""
        if self._clock.monotonic_s() < self._renew_at_s:
            return
        asyncio.run(self._client.hold(LEASE_S))
        self._renew_at_s = self._clock.monotonic_s() + RENEW_S


class _Stopped:
    """A node that does not run, and cannot start meanwhile."""

    is_running = False

    def settle(self) -> None:
        """Nobody could; the journals are copied whole."""

    def hold(self) -> None:
        """Nobody removes anything."""


@contextlib.contextmanager
def _keeper(directory: Directory, clock: Clock) -> Iterator[Keeper]:
    if not directory.control_db.exists():  # make_backup says so
        yield _Stopped()
        return
    with contextlib.ExitStack() as held:
        if _lock(directory, held):
            yield _Stopped()
            return
        client = held.enter_context(open_loader(directory))
        running = _Running(client, clock)
        try:
            running.hold()
        except Unavailable:
            # Of a node that was just killed, processes may have been dying yet.
            if not _lock(directory, held):
                raise
            yield _Stopped()
            return
        yield running


def _lock(directory: Directory, held: contextlib.ExitStack) -> bool:
    """Keeps the node from starting until ``held`` ends; False when it runs."""
    with contextlib.ExitStack() as taken:
        for path in (directory.node_lock, directory.loader_lock):
            lock = FileLock(path, purpose="The node's files are being copied")
            try:
                lock.acquire()
            except Conflict:
                return False
            taken.callback(lock.release)
        held.enter_context(taken.pop_all())
    return True
