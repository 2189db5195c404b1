"""Behind a pooling proxy: requests of many clients and kinds on one connection."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.running_node import Node, wait_until

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
pytestmark = pytest.mark.skipif(NGINX is None, reason="needs the package nginx-light")

CONFIGURATION = """
worker_processes 1; daemon off; pid {directory}/pid; error_log {directory}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/f; uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
  upstream weir {{ server {upstream}; keepalive 1; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://weir; proxy_http_version 1.1; proxy_set_header Connection "";
    }}
  }}
}}
"""


@pytest.fixture
def proxy(shared_node: Node, tmp_path: Path) -> Iterator[str]:
    """The address of an nginx that keeps one connection to the node for everybody."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    upstream = shared_node.url.removeprefix("http://")
    configuration = tmp_path / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(directory=tmp_path, upstream=upstream, port=port))
    assert NGINX is not None
    process = subprocess.Popen(
        [NGINX, "-c", str(configuration), "-e", str(tmp_path / "error.log")],
        stderr=subprocess.DEVNULL,
        env=dict(os.environ),
    )
    url = f"http://127.0.0.1:{port}"
    wait_until(lambda: _answers(url), within_s=10, what="nginx")
    yield url
    process.terminate()
    process.wait(10)


def test_mixed_requests_on_one_connection_get_their_own_answers(
    proxy: str, shared_node: Node
) -> None:
    """Ingest, health, relayed queries, refusals: each client gets the answer to its request."""

    def ask(number: int) -> bool:
        kind = number % 4
        headers = shared_node.headers
        with httpx.Client(base_url=proxy, headers=headers, timeout=30) as client:
            if kind == 0:
                answer = client.post("/v1/ingest", json={"event": f"proxied-{number}"})
                return bool(answer.json() == {"accepted": True, "queued": 1})
            if kind == 1:
                answer = client.get("/v1/query", params={"q": f"SELECT {number} AS n"})
                return bool(answer.json()["rows"] == [[number]])
            if kind == 2:
                answer = client.get(f"/unknown/{number}")
                return answer.status_code == 404
            answer = client.post("/v1/batch", json={"events": [{"event": number}]})
            return answer.status_code == 400

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(64)))
    wait_until(
        lambda: (
            shared_node.query("SELECT count() FROM events WHERE event LIKE 'proxied-%'") == [[16]]
        ),
        within_s=10,
        what="events through the proxy",
    )


def _answers(url: str) -> bool:
    try:
        return httpx.get(url + "/livez", timeout=2).status_code == 200
    except httpx.TransportError:
        return False
