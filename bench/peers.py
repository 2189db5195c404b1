"""What Weir is measured beside: nginx with a static reply, driven by wrk."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

SERVER_CPU = 0
CLIENT_CPU = 1

_NGINX = """
worker_processes 1; daemon off; pid {directory}/pid; error_log {directory}/error.log;
events {{ worker_connections 2048; }}
http {{
  access_log off; keepalive_requests 1000000000;
  client_body_temp_path {directory}/b; proxy_temp_path {directory}/p;
  fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  server {{
    listen 127.0.0.1:{port};
    location / {{ return 200 '{{"accepted":true,"queued":1}}'; }}
  }}
}}
"""

_SCRIPT = """
wrk.method = "POST"
wrk.headers["Authorization"] = "Bearer {key}"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [==[{body}]==]
"""


class Load(NamedTuple):
    """What wrk saw."""

    requests_per_s: float
    p99_ms: float
    not_2xx: int


def program(name: str) -> str:
    """The path of a program; ends the measurement with what to install when it is missing."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        package = {"nginx": "nginx-light"}.get(name, name)
        raise SystemExit(f"This measurement needs {name}: apt-get install {package}")
    return found


@contextmanager
def nginx() -> Iterator[str]:
    """The address of an nginx with one worker on ``SERVER_CPU`` that answers 200 to anything."""
    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
        probe.close()
        configuration = Path(name) / "nginx.conf"
        configuration.write_text(_NGINX.format(directory=name, port=port))
        process = subprocess.Popen(
            [
                *on_cpu(SERVER_CPU),
                *(program("nginx"), "-c", str(configuration), "-e", f"{name}/error.log"),
            ]
        )
        await_port(port)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


def drive(
    url: str, *, key: str, body: str, connections: int, seconds: int, pause_ms: int = 0
) -> Load:
    """Posts ``body`` over and over with wrk, one thread on ``CLIENT_CPU``.

    Each connection waits ``pause_ms`` before each of its requests.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_SCRIPT.format(key=key, body=body))
        if pause_ms:
            script.write(f"function delay() return {pause_ms} end\n")
        script.flush()
        command = ["-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", script.name, url]
        done = subprocess.run(
            [program("wrk"), *command],
            capture_output=True,
            text=True,
            check=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {CLIENT_CPU}),
        )
    return _parse(done.stdout.splitlines())


def on_cpu(cpu: int) -> list[str]:
    return [program("taskset"), "--cpu-list", str(cpu)]


def _parse(lines: list[str]) -> Load:
    rate, p99, not_2xx = 0.0, 0.0, 0
    for line in lines:
        words = line.split()
        if line.startswith("Requests/sec"):
            rate = float(words[1])
        elif words[:1] == ["99%"]:
            p99 = _milliseconds(words[1])
        elif "Non-2xx" in line:
            not_2xx = int(words[-1])
    return Load(rate, p99, not_2xx)


def _milliseconds(text: str) -> float:
    for unit, factor in (("us", 0.001), ("ms", 1.0), ("s", 1000.0)):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * factor
    raise ValueError(text)


def await_port(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise SystemExit("nginx did not start")
