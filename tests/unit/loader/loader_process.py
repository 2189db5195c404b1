"""A loader in a process of its own, for tests that kill it: ``loader_process.py DIRECTORY``."""

import sys
import threading
from pathlib import Path

from tests.unit.loader.rig import Rig, RigClock
from weir.node.directory import Directory
from weir.settings import Settings

if __name__ == "__main__":
    settings = Settings(cut_age_s=0.01, workers=1)
    # Later than anything that was written: the rig's clock stands still.
    rig = Rig(Directory(Path(sys.argv[1])), RigClock(), settings=settings)
    rig.wiring().run(threading.Event())
