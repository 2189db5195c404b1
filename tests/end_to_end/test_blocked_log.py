"""A log that nobody reads: lines are dropped and counted, events are taken and answered."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import httpx

from tests.end_to_end.running_node import STOP_WITHIN_S, wait_until

SENDS = 200


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_ingest_goes_on_while_nobody_reads_the_log(tmp_path: Path) -> None:
    """Standard error is a full pipe; commits, which log a line each, and events go on."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    while True:
        try:
            os.write(write_end, b"x" * 4096)
        except BlockingIOError:
            break
    os.set_blocking(write_end, True)
    metrics = _free_port()
    settings = {
        "CUT_AGE_S": "0.05",
        "WORKERS": "1",
        "METRICS_PORT": str(metrics),
        "LOG_LEVEL": "debug",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "weir", "serve", "--data", str(tmp_path / "node"), "--port", "0"],
        env={**os.environ, **{f"WEIR_{name}": value for name, value in settings.items()}},
        stdout=subprocess.PIPE,
        stderr=write_end,
        text=True,
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        key = json.loads((tmp_path / "node" / "first-run.json").read_text())["secret_key"]
        with httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=20) as client:
            for number in range(SENDS):
                assert client.post("/v1/ingest", json={"event": f"e{number}"}).status_code == 202

            def stored() -> bool:
                told = httpx.get(f"http://127.0.0.1:{metrics}/metrics", timeout=60).text
                found = re.search(r'weir_outcomes_total\{outcome="stored"\} (\S+)', told)
                return found is not None and float(found[1]) == SENDS

            wait_until(stored, within_s=20, what="commits although nobody reads the log")
        process.terminate()
        assert process.wait(STOP_WITHIN_S) == 0
    finally:
        process.kill()
        process.wait()
        os.close(read_end)
        os.close(write_end)
        if process.stdout is not None:
            process.stdout.close()
