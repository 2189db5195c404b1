"""Where a process keeps its metrics: in files that have their room, or in its memory."""

import os
import subprocess
import sys
from pathlib import Path

from weir.telemetry import METRICS_FILE_BYTES

SCRIPT = """
from weir import telemetry
telemetry.emit(telemetry.Happening.EDGE_RESUMED)
telemetry.TAIL_BYTES.set(1)
telemetry.DISK_FREE_BYTES.set(1)
telemetry.QUERY_SECONDS.labels("answered").observe(1)
telemetry.REQUESTS.labels("202").inc()
print(telemetry.values.ValueClass.__name__)
"""


def test_every_metrics_file_has_its_room_before_it_is_mapped(tmp_path: Path) -> None:
    """A write into a mapped hole of a full disk would kill the process."""
    assert _value_class(tmp_path) == "MmapedValue"
    sizes = {path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes == {METRICS_FILE_BYTES}
    assert all(path.stat().st_blocks * 512 >= METRICS_FILE_BYTES for path in tmp_path.iterdir())
    assert len(list(tmp_path.iterdir())) == 4


def test_without_room_metrics_stay_in_memory(tmp_path: Path) -> None:
    """The process lives; its numbers are missing from the sums."""
    assert _value_class(tmp_path / "nowhere") == "MutexValue"


def _value_class(directory: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(directory)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.splitlines()[-1]
