"""What a process can still open once it is restricted to some files."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from weir.engine import landlock

pytestmark = pytest.mark.skipif(not landlock.version(), reason="the kernel has no Landlock")

ATTEMPTS = """
import json, os, socket, sys, threading
from weir.engine import landlock
ours, theirs, directory = sys.argv[1:]
reading = open(theirs)
def attempt(action):
    try:
        action()
    except OSError as error:
        return type(error).__name__
    return "done"
def tries():
    return {
        "ours": attempt(lambda: open(ours).read()),
        "theirs": attempt(lambda: open(theirs)),
        "passwd": attempt(lambda: open("/etc/passwd")),
        "proc": attempt(lambda: open("/proc/self/environ")),
        "list": attempt(lambda: os.listdir(directory)),
        "write": attempt(lambda: open(ours, "a")),
        "create": attempt(lambda: open(directory + "/new", "w")),
        "remove": attempt(lambda: os.unlink(ours)),
        "link": attempt(lambda: os.symlink(theirs, directory + "/link")),
        "run": attempt(lambda: os.execv("/bin/true", ["true"])),
        "open before": attempt(reading.read),
    }
first = landlock.restrict_to([ours, directory + "/gone"])
found = [tries()]
thread = threading.Thread(target=lambda: found.append(tries()))
thread.start()
thread.join()
print(json.dumps([first, *found]))
"""


def test_nothing_but_the_given_files_can_be_opened(tmp_path: Path) -> None:
    """Read, not written; the threads that start later are held to it too."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.write_text("x")
    theirs.write_text("y")
    told = subprocess.run(
        [sys.executable, "-c", ATTEMPTS, str(ours), str(theirs), str(tmp_path)],
        capture_output=True,
        check=True,
        text=True,
    )
    restricted, main, thread = json.loads(told.stdout)
    refused = dict.fromkeys(
        ["theirs", "passwd", "proc", "list", "write", "create", "remove", "link", "run"],
        "PermissionError",
    )
    assert restricted is True
    assert main == thread == {"ours": "done", **refused, "open before": "done"}
    assert {path.name for path in tmp_path.iterdir()} == {"ours", "theirs"}
