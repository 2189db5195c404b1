"""Behind a pooling proxy: requests of many clients and kinds on one connection."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.contract.http.nginx import NGINX, running_nginx
from tests.end_to_end.running_node import Node, wait_until

pytestmark = pytest.mark.skipif(NGINX is None, reason="needs the package nginx-light")


@pytest.fixture
def proxy(shared_node: Node, tmp_path: Path) -> Iterator[str]:
    """The address of an nginx that keeps one connection to the node for everybody."""
    port = int(shared_node.url.rsplit(":", 1)[1])
    with running_nginx(tmp_path, ("127.0.0.1", port), buffering="on") as address:
        yield f"http://127.0.0.1:{address[1]}"


def test_mixed_requests_on_one_connection_get_their_own_answers(
    proxy: str, shared_node: Node
) -> None:
    """Ingest, health, relayed queries, refusals: each client gets the answer to its request."""

    def ask(number: int) -> bool:
        kind = number % 4
        headers = shared_node.headers
        with httpx.Client(base_url=proxy, headers=headers, timeout=120) as client:
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
