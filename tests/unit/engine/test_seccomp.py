"""What the kernel refuses a process that has given up calls."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from weir.engine.seccomp import _MACHINES

pytestmark = pytest.mark.skipif(
    os.uname().machine not in _MACHINES, reason="the filter knows x86-64 and ARM64 only"
)

ATTEMPTS = """
import ctypes, json, os, signal, socket, sys, threading
from weir.engine import sandbox, seccomp
directory = sys.argv[1]
given, taken = socket.socketpair()
opened = open(directory + "/ours")
def attempt(action):
    try:
        action()
    except (OSError, RuntimeError) as error:
        return type(error).__name__
    return "done"
def tries():
    return {
        "socket": attempt(socket.socket),
        "fork": attempt(os.fork),
        "run": attempt(lambda: os.execv("/bin/true", ["true"])),
        "thread": attempt(threading.Thread(target=lambda: None).start),
        "signal": attempt(lambda: os.kill(os.getpid(), 0)),
        "mode": attempt(lambda: os.chmod(directory + "/ours", 0o777)),
        "owner": attempt(lambda: os.chown(directory + "/ours", 1, 1)),
        "attribute": attempt(lambda: os.setxattr(directory + "/ours", "user.a", b"b")),
        "name space": ctypes.CDLL(None).unshare(0x10000000),
        "trace": ctypes.CDLL(None).ptrace(0, 0, 0, 0),
        "read": attempt(lambda: os.pread(opened.fileno(), 1, 0)),
        "open": attempt(lambda: open(directory + "/ours")),
        "answer": attempt(lambda: given.sendall(b"x")),
    }
before, go, found = threading.Event(), threading.Event(), []
def earlier():
    before.set()
    go.wait()
    found.append(tries())
thread = threading.Thread(target=earlier)
thread.start()
before.wait()
sandbox.give_up_privileges()
first = seccomp.refuse_calls()
found.append(tries())
go.set()
thread.join()
print(json.dumps([first, *found]))
"""


def test_calls_of_the_list_are_refused_in_all_threads(tmp_path: Path) -> None:
    """Those that a query needs work; a thread that was there already is held to it too."""
    (tmp_path / "ours").write_text("x")
    done = subprocess.run(
        [sys.executable, "-c", ATTEMPTS, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    applied, *found = json.loads(done.stdout)
    if not applied:
        pytest.skip("the kernel has no seccomp filters")
    assert len(found) == 2
    for tried in found:
        refused = dict.fromkeys(
            ("socket", "fork", "run", "signal", "mode", "owner", "attribute"), "PermissionError"
        )
        works = dict.fromkeys(("read", "open", "answer"), "done")
        kernel = {"name space": -1, "trace": -1}
        assert tried == {**refused, **works, **kernel, "thread": "RuntimeError"}
