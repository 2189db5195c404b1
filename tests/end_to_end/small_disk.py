"""A node on a small disk of its own, which another program may fill up."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.running_node import Node

_MOUNTED = 'mount -t tmpfs -o size={size} weir-test "{disk}" && exec "$@"'


def _may_mount() -> bool:
    if os.geteuid() or not shutil.which("unshare"):
        return False
    probe = ["unshare", "-m", "mount", "-t", "tmpfs", "weir-test", "/mnt"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


needs_mounts = pytest.mark.skipif(not _may_mount(), reason="needs root and mount namespaces")

SETTINGS = {
    "workers": 1,
    "disk_reserve_bytes": "2MiB",
    "journal_file_bytes": "1MiB",
    "cut_age_s": 0.3,
}
"""What fits on the disk."""


class DiskNode:
    """A node and its disk, which only the node's own mount namespace has."""

    def __init__(self, start_node: Callable[..., Node], tmp_path: Path, *, size: str) -> None:
        self._disk = tmp_path / "disk"
        self._disk.mkdir()
        mounted = _MOUNTED.format(size=size, disk=self._disk)
        wrapper = ["unshare", "-m", "sh", "-c", mounted, "sh"]
        self.node = start_node("disk/node", wrapper=wrapper, **SETTINGS)
        assert self.node.process is not None
        self._pid = self.node.process.pid
        self.node.directory = self.inside(self.node.directory)

    def inside(self, path: Path) -> Path:
        """The path as the node sees it, for this process."""
        return Path(f"/proc/{self._pid}/root{path}")

    @property
    def _filler(self) -> Path:
        return self.inside(self._disk / "filler")

    def fill(self) -> None:
        """Takes every byte that is left, as another program would."""
        descriptor = os.open(self._filler, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            for size in (1 << 20, 1 << 12):
                self._write_until_refused(descriptor, bytes(size))
        finally:
            os.close(descriptor)

    def free(self) -> None:
        """Gives back what ``fill`` took."""
        self._filler.unlink()

    @staticmethod
    def _write_until_refused(descriptor: int, piece: bytes) -> None:
        try:
            while os.write(descriptor, piece) == len(piece):
                pass
        except OSError:
            return
