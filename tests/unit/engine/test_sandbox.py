"""What a process cannot do any more once it is in the sandbox."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

PRELUDE = """
import ctypes, json, os, resource, signal, socket, subprocess, sys, time
from weir.engine import sandbox
out = int(sys.argv[1])
def tell(value):
    os.write(out, json.dumps(value).encode())
def attempt(action):
    try:
        action()
    except BaseException as error:
        return type(error).__name__
    return "done"
sandbox.enter(sandbox.SandboxLimits(memory_bytes=64 << 20, cpu_s=5), keep={out})
"""


def confined(code: str) -> tuple[object, int]:
    """What the code tells from inside of the sandbox, and how its process ended."""
    reading, writing = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(code), str(writing)],
        pass_fds=(writing,),
        env={"SECRET": "x"},
    ) as process:
        os.close(writing)
        with os.fdopen(reading, "rb") as told:
            text = told.read()
        status = process.wait(120)
    return (json.loads(text) if text else None), status


def test_environment_descriptors_and_directory_are_given_up() -> None:
    """Nothing is inherited but what was named."""
    told, status = confined("""
        is_open = lambda n: attempt(lambda: os.fstat(n)) == 'done'
        tell([dict(os.environ), os.getcwd(), [os.readlink(f'/proc/self/fd/{n}') for n in range(3)],
              [n for n in range(3, out + 100) if is_open(n)] == [out]])
    """)
    assert told == [{}, "/", ["/dev/null"] * 3, True]
    assert status == 0


def test_memory_beyond_the_limit_is_refused() -> None:
    """An allocation above the bound fails; one below it does not."""
    told, _ = confined("""
        tell([attempt(lambda: bytearray(16 << 20)), attempt(lambda: bytearray(256 << 20))])
    """)
    assert told == ["done", "MemoryError"]


def test_files_cannot_be_written() -> None:
    """Not a byte, wherever it may be created."""
    told, _ = confined("""
        import tempfile
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        fd = os.memfd_create('x')
        tell(attempt(lambda: os.write(fd, b'x')))
    """)
    assert told == "OSError"


def test_processor_time_is_bounded() -> None:
    """A loop without end is ended by the kernel, parent or not."""
    _, status = confined("""
        resource.setrlimit(resource.RLIMIT_CPU, (1, 1))
        while True:
            pass
    """)
    assert status in {-24, -9}


def test_privileges_and_dumps_are_given_up() -> None:
    """No new privileges, no core, no reading by others of the same user."""
    told, _ = confined("""
        libc = ctypes.CDLL(None)
        tell([libc.prctl(39, 0, 0, 0, 0), libc.prctl(3, 0, 0, 0, 0),
              resource.getrlimit(resource.RLIMIT_CORE), resource.getrlimit(resource.RLIMIT_FSIZE)])
    """)
    assert told == [1, 0, [0, 0], [0, 0]]


def test_network_is_left_where_the_kernel_permits() -> None:
    """In its own namespace even loopback is down."""
    told, _ = confined("""
        names = [name for _, name in socket.if_nameindex()]
        tell([names, attempt(lambda: socket.create_connection(('127.0.0.1', 9), 1))])
    """)
    assert isinstance(told, list)
    names, outcome = told
    if names != ["lo"]:
        pytest.skip("this machine does not let a process make a user namespace")
    assert outcome == "OSError"


def test_process_dies_with_its_parent() -> None:
    """The kernel ends it, whatever it does."""
    reading, writing = os.pipe()
    code = f"""
import os, signal, time
from weir.engine.sandbox import die_with_parent
child = os.fork()
if child == 0:
    parent = os.getppid()
    die_with_parent(parent)
    os.write({writing}, b'+')
    time.sleep(600)
    os._exit(0)
time.sleep(600)
"""
    process = subprocess.Popen([sys.executable, "-c", code], pass_fds=(writing,))
    os.close(writing)
    with os.fdopen(reading, "rb", buffering=0) as told:
        assert told.read(1) == b"+"
        process.kill()
        process.wait()
        assert told.read(1) == b""
