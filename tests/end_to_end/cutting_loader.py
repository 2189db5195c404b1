"""A loader that stops before its cut until told to go on: ``cutting_loader.py DIRECTORY``.

It says ``ready`` when everything is read, commits at the first line that it gets, cleans up, and
ends. Between the two somebody may take hold of it.
"""

import sys
from pathlib import Path

from tests.unit.loader.rig import START_US, Rig, RigClock
from weir.node.directory import Directory
from weir.settings import Settings

LATER_US = START_US + 3 * 86_400_000_000
"""Raw files and sidecars of the rig's beginning have expired by then."""

SETTINGS = Settings(cut_age_s=3600, workers=1, raw_retention_days=1, compaction_interval_s=60)

if __name__ == "__main__":
    rig = Rig(Directory(Path(sys.argv[1])), RigClock(LATER_US), settings=SETTINGS)
    with rig.running() as loader:
        loader.ledger()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        loader.cut()
