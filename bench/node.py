"""A node to measure: the real one, in a directory beside the code, on a real disk."""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from tests.end_to_end.running_node import Node
from weir.errors import Unavailable
from weir.loader.serve.client import LoaderClient
from weir.node.directory import Directory

CUT_WITHIN_S = 300
ROOT = Path(__file__).parent.parent / ".bench"


@contextmanager
def node(**settings: object) -> Iterator[Node]:
    """A running node with these settings; stopped and removed afterwards."""
    ROOT.mkdir(exist_ok=True)
    directory = Path(tempfile.mkdtemp(dir=ROOT))
    texts = {f"WEIR_{name.upper()}": str(value) for name, value in settings.items()}
    running = Node(directory / "node", texts)
    try:
        running.start()
        yield running
        running.stop()
    finally:
        if running.process is not None:
            running.kill_all()
        shutil.rmtree(directory, ignore_errors=True)


def load_all(directory: Path) -> None:
    """Returns when everything that was acknowledged is in the lake."""
    client = LoaderClient(Directory(directory).loader_socket)
    deadline_s = time.perf_counter() + CUT_WITHIN_S
    try:
        while time.perf_counter() < deadline_s:
            try:
                asyncio.run(client.cut())
            except Unavailable:  # a long way behind: go on waiting
                continue
            return
    finally:
        client.close()
    raise SystemExit(f"not in the lake within {CUT_WITHIN_S} s")


def sync_us() -> float:
    """Median time of an fdatasync after 16 KiB were appended to a preallocated file here."""
    ROOT.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=ROOT) as file:
        descriptor = file.fileno()
        os.posix_fallocate(descriptor, 0, 8 << 20)
        os.fsync(descriptor)
        times = []
        for number in range(200):
            os.pwrite(descriptor, b"x" * 16384, number * 16384)
            started = time.perf_counter()
            os.fdatasync(descriptor)
            times.append(time.perf_counter() - started)
    return median(times) * 1e6
