"""A real node, started as a user starts it, and a few ways to talk to it."""

import copy
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from weir.api.client import open_control
from weir.api.routes.operator.keys import CREATE_KEY
from weir.api.routes.operator.projects import CREATE_PROJECT
from weir.control.records import KeyRequest, ProjectRequest
from weir.domain.keys import Scope
from weir.node.directory import Directory
from weir.settings import Settings

READY_WITHIN_S = 180.0
STOP_WITHIN_S = 180.0
COMMAND_WITHIN_S = 300.0
PATIENCE = 6.0
"""How much slower than a quiet machine a busy one may be before a wait is over."""


class Node:
    """``weir serve`` on a directory of its own and a free port."""

    def __init__(
        self, directory: Path, settings: dict[str, str], *, wrapper: Sequence[str] = ()
    ) -> None:
        self.wrapper = wrapper
        """A command that runs the node, such as one that sets limits first."""
        self.directory = directory
        self.settings = settings
        self.url = ""
        self.process: subprocess.Popen[str] | None = None
        self.log = directory.parent / f"{directory.name}.log"
        self._own_keys: dict[str, str] = {}
        self._begun_at = datetime.min.replace(tzinfo=UTC)

    def start(self) -> None:
        """Starts the node and returns when it has said that it is ready."""
        environment = {**os.environ, "WEIR_LOG_FORMAT": "json", "WEIR_WORKERS": "2"}
        port = self.url.rsplit(":", 1)[1] if self.url else "0"
        self._begun_at = datetime.now(UTC)
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [
                    *(*self.wrapper, sys.executable, "-m", "weir", "serve"),
                    *("--data", str(self.directory), "--host", "127.0.0.1", "--port", port),
                ],
                env={**environment, **self.settings},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        line = _read_line(self.process)
        assert line.startswith(("weir ready http://", "weir ready https://")), (
            f"{line!r}\n{self.log.read_text()}"
        )
        self.url = line.split()[-1]

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.terminate()
        code = self.process.wait(STOP_WITHIN_S)
        self.forget()
        return code

    def kill_all(self) -> None:
        """SIGKILL to every process of the node at once."""
        assert self.process is not None
        group = self.process.pid
        os.killpg(group, signal.SIGKILL)
        self.process.wait(STOP_WITHIN_S)
        wait_until(lambda: _is_gone(group), within_s=STOP_WITHIN_S, what="the end of all processes")
        self.forget()

    def end(self) -> None:
        """Leaves no process behind, whatever state the node is in."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.kill_all()
        else:
            self.forget()

    def forget(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.process = None

    def pids(self, role: str) -> list[int]:
        """Processes of the node by role: ``edge``, ``loader``, ``api``."""
        assert self.process is not None
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except (OSError, IndexError):
                continue
            if parent == self.process.pid and role.encode() in words:
                found.append(int(entry.name))
        return found

    def with_new_project(self) -> "Node":
        """This running node as it is seen with the keys of a new project."""
        slug = f"project-{secrets.token_hex(8)}"
        scopes = (Scope.INGEST, Scope.QUERY, Scope.METRICS)
        with open_control(Directory(self.directory), Settings()) as control:
            control.call(CREATE_PROJECT, ProjectRequest(slug=slug))
            secret = control.call(CREATE_KEY, KeyRequest(project=slug, scopes=scopes))
            public = control.call(CREATE_KEY, KeyRequest(project=slug, public=True))
        seen = copy.copy(self)
        seen._own_keys = {"secret_key": secret.text, "public_key": public.text}
        return seen

    @property
    def first_run(self) -> dict[str, str]:
        """The keys that the node made itself, or those of the project that it is seen with."""
        if self._own_keys:
            return self._own_keys
        found: dict[str, str] = json.loads((self.directory / "first-run.json").read_text())
        return found

    @property
    def key(self) -> str:
        return self.first_run["secret_key"]

    @property
    def public_key(self) -> str:
        return self.first_run["public_key"]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def send(self, path: str, value: object) -> httpx.Response:
        """Posts JSON with the node's secret key."""
        return httpx.post(self.url + path, json=value, headers=self.headers, timeout=60)

    def query(self, sql: str) -> list[list[object]]:
        """The rows of a query over all that was durable at the start; asserts that it is answered.

        An answer in the first moments may lack what is being read again, and says so.
        """
        found: dict[str, Any] = {}

        def is_whole() -> bool:
            answer = self.ask(sql)
            assert answer.status_code == 200, answer.text
            found.update(answer.json())
            return datetime.fromisoformat(found["meta"]["watermark"]) >= self._begun_at

        wait_until(is_whole, within_s=30, what="an answer over all that is durable")
        rows: list[list[object]] = found["rows"]
        return rows

    def ask(self, sql: str, **fields: str) -> httpx.Response:
        """The answer to a query, whatever it is."""
        return httpx.get(
            self.url + "/v1/query", params={"q": sql, **fields}, headers=self.headers, timeout=300
        )

    def weir(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a ``weir`` command beside the node."""
        return subprocess.run(
            [sys.executable, "-m", "weir", *arguments],
            capture_output=True,
            text=True,
            timeout=COMMAND_WITHIN_S,
            check=False,
            env={**os.environ, **self.settings},
        )


StartNode = Callable[..., Node]


def _is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def wait_until(condition: Callable[[], bool], *, within_s: float, what: str) -> None:
    """Returns when the condition holds; fails the test when it never does.

    ``within_s`` is what a quiet machine needs at most; a busy one has ``PATIENCE`` times as long.
    """
    deadline = time.monotonic() + within_s * PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s * PATIENCE} s: {what}"
        time.sleep(0.02)


def memory_of(process: int, field: str) -> int:
    """A figure of the kernel's about a process (``VmRSS``, ``VmHWM``), in bytes."""
    text = Path(f"/proc/{process}/status").read_text()
    [line] = [line for line in text.splitlines() if line.startswith(field + ":")]
    return int(line.split()[1]) * 1024


def _read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    lines: list[str] = []
    read = process.stdout.readline
    reader = threading.Thread(target=lambda: lines.append(read()), daemon=True)
    reader.start()
    reader.join(READY_WITHIN_S)
    return lines[0] if lines else ""
