"""Whether a backup takes a node for a running one."""

from pathlib import Path

import pytest

from tests.unit.cli.fakes import Run
from weir.errors import Unavailable
from weir.loader.serve.client import LoaderClient
from weir.node.directory import Directory
from weir.storage.local import FileLock


@pytest.fixture
def held(run: Run, tmp_path: Path) -> FileLock:
    """The lock of a node whose loader does not answer."""
    assert run("keys", "create", "--data", "node").exit_code == 0
    lock = FileLock(Directory(tmp_path / "node").node_lock, purpose="A node that runs")
    lock.acquire()
    return lock


def test_a_node_that_was_just_dying_is_copied_as_one_that_does_not_run(
    run: Run, held: FileLock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last process ends while the loader is being asked."""

    async def end(_client: LoaderClient, _lease_s: float) -> None:
        held.release()
        raise Unavailable("The loader is away.")

    monkeypatch.setattr(LoaderClient, "hold", end)
    done = run("backup", "copy", "--data", "node")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "copy" / "backup.json").exists()


def test_a_node_that_runs_without_its_loader_is_not_copied(
    run: Run, held: FileLock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files may go away meanwhile: nobody holds them."""

    async def stay_away(_client: LoaderClient, _lease_s: float) -> None:
        raise Unavailable("The loader is away.")

    monkeypatch.setattr(LoaderClient, "hold", stay_away)
    done = run("backup", "copy", "--data", "node")
    assert done.exit_code == 4, done.output
    assert "The loader is away." in done.stderr
    assert not (tmp_path / "copy" / "backup.json").exists()
    held.release()
