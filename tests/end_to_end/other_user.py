"""Runs ``weir`` commands as another user, all in one process, and tells what each said.

    python -m tests.end_to_end.other_user UID < commands.json

Standard input holds a list of command lines; standard output gets a list of ``{"code", "text",
"crash"}``. Everything of Weir is imported before the user is changed, who may not be able to read
it. A command that goes on is ended by an alarm, and told as a crash.
"""

import json
import os
import pkgutil
import signal
import sys
import traceback
from importlib import import_module

import click
from click.testing import CliRunner

import weir
from weir.cli.main import main

SECONDS_MAX = 120
INPUT = "nm_live_0123456789abcdef"
"""What stands on standard input: a key to be imported, and no event."""


class Endless(BaseException):
    """A command that does not end."""


def run(arguments: list[str]) -> dict[str, object]:
    """One command, as a person would call it."""
    signal.alarm(SECONDS_MAX)
    try:
        ended = CliRunner().invoke(main, arguments, input=INPUT)
    except Endless:
        return {"code": -1, "text": "", "crash": "it went on"}
    finally:
        signal.alarm(0)
    crash = ""
    if ended.exception is not None and not isinstance(ended.exception, SystemExit | click.Abort):
        crash = "".join(traceback.format_exception(ended.exception))
    return {"code": ended.exit_code, "text": ended.output, "crash": crash}


def _end(_number: int, _frame: object) -> None:
    raise Endless


def _import_all() -> None:
    """What is imported late, too: the reader of a package's files, and all that a request needs."""
    import_module("importlib.readers")
    run(["query", "SELECT 1", "--url", "http://127.0.0.1:9", "--key", INPUT])
    for found in pkgutil.walk_packages(weir.__path__, "weir."):
        if not found.name.endswith(".__main__") and ".migrations." not in found.name:
            import_module(found.name)


if __name__ == "__main__":
    _import_all()
    command_lines = json.load(sys.stdin)
    signal.signal(signal.SIGALRM, _end)
    uid = int(sys.argv[1])
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    sys.stdout.write(json.dumps([run(each) for each in command_lines]))
