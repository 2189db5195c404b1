"""EdgeMQ's data plane: records of any bytes to an endpoint, by its host and by its path."""

import base64
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.running_node import Node, wait_until

DOMAIN = "edge.example"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node that answers on its endpoints' hosts, and has a second tenant."""
    folder: Path = tmp_path_factory.mktemp("endpoints") / "node"
    running = Node(folder, {"WEIR_INGEST_DOMAIN": DOMAIN})
    running.start()
    yield running
    if running.process is not None and running.process.poll() is None:
        running.kill_all()


def _endpoint(node: Node, *, tenant: str = "default") -> str:
    listed = node.weir("projects", "list", "--json", "--data", str(node.directory))
    assert listed.returncode == 0, listed.stderr
    [endpoint] = [
        item["endpoint"] for item in json.loads(listed.stdout) if item["tenant"] == tenant
    ]
    return str(endpoint)


def _post(node: Node, path: str, body: bytes, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(
        node.url + path, content=body, headers={"X-API-Key": node.key, **named}, timeout=20
    )


def _wait_for(node: Node, event: str, count: int) -> None:
    sql = f"SELECT count(*) FROM events WHERE event = '{event}'"
    wait_until(lambda: node.query(sql) == [[count]], within_s=10, what=f"{count} of {event}")


def test_ndjson_is_one_record_a_line(node: Node) -> None:
    """By path, by host, and on the plain host: the same answer and the same rows, in order."""
    endpoint = _endpoint(node)
    lines = [
        b'{"event":"line","userId":"u%d","ts":"2026-01-02T03:04:0%dZ"}' % (n, n) for n in range(3)
    ]
    body = b"\n".join(lines) + b"\n"
    kind = "application/x-ndjson"
    host = f"{endpoint}.ingest.{DOMAIN}"
    for answer in (
        _post(node, f"/v1/endpoints/{endpoint}/ingest", body, Content_Type=kind),
        _post(node, "/ingest", body, Content_Type=kind, Host=host),
        _post(node, "/ingest", body, Content_Type=kind),
    ):
        assert answer.status_code == 202
        assert answer.json() == {"accepted": 3, "bytes": len(body)}
    _wait_for(node, "line", 9)
    rows = node.query(
        "SELECT user_id, endpoint, dialect FROM events WHERE event='line' ORDER BY seq"
    )
    assert rows == [[f"u{n}", endpoint, "edgemq"] for n in (0, 1, 2) * 3]


def test_json_on_the_endpoints_host_is_one_record(node: Node) -> None:
    """An object gives its columns and stands whole in properties."""
    body = b'{ "type":"reading", "distinct_id":"d", "value": 2.5, "event_id":"once" }'
    host = f"{_endpoint(node)}.ingest.{DOMAIN}:8443"
    for _ in range(2):  # the second is a duplicate, answered like the first
        answer = _post(node, "/ingest", body, Content_Type="application/json", Host=host)
        assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "bytes": len(body)})
    _post(node, "/ingest", body.replace(b"once", b"next"), Content_Type="text/plain", Host=host)
    _wait_for(node, "reading", 2)
    rows = node.query(
        "SELECT event_id, user_id, properties->>'value', properties->>'type' FROM events"
        " WHERE event = 'reading' ORDER BY seq"
    )
    assert rows == [["once", "d", "2.5", "reading"], ["next", "d", "2.5", "reading"]]


@pytest.mark.parametrize(
    "body", [bytes(range(256)), b"\xff\xfe", b"\0", b"plain \xc3\xa9 text\r\n", b"[1, 2]", b"{"]
)
def test_any_bytes_survive(node: Node, body: bytes) -> None:
    """What is no object is the event (raw), and its bytes can be had from SQL as they were sent."""
    path = f"/v1/endpoints/{_endpoint(node)}/ingest"
    count = len(node.query("SELECT seq FROM events WHERE event = '(raw)'"))
    answer = _post(node, path, body, Content_Type="application/octet-stream")
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "bytes": len(body)})
    _wait_for(node, "(raw)", count + 1)
    [text, encoded] = node.query(
        "SELECT properties->>'payload', properties->>'payload_base64' FROM events"
        " WHERE event = '(raw)' ORDER BY seq DESC LIMIT 1"
    )[0]
    found = base64.b64decode(str(encoded)) if text is None else str(text).encode()
    assert found == body


def test_foreign_and_unknown_endpoints_are_the_same_404(node: Node) -> None:
    """The tenant comes from the key: what is not its project's does not exist, and is not told."""
    folder = ("--data", str(node.directory))
    made = node.weir("tenants", "create", "other", *folder)
    assert made.returncode == 0, made.stderr
    made = node.weir("projects", "create", "theirs", "--tenant", "other", *folder)
    assert made.returncode == 0, made.stderr
    foreign = _endpoint(node, tenant="other")
    answers = []
    for endpoint in (foreign, "00000000-0000-4000-8000-000000000000", "no-uuid", "%00"):
        by_path = _post(node, f"/v1/endpoints/{endpoint}/ingest", b"{}")
        assert by_path.status_code == 404
        answers.append(by_path.json())
    answers.append(_post(node, "/ingest", b"{}", Host=f"{foreign}.ingest.{DOMAIN}").json())
    assert answers == [answers[0]] * 5
    assert answers[0]["error"] == "endpoint_not_found"
    assert set(answers[0]) == {"error", "message"}
    anonymous = httpx.post(f"{node.url}/v1/endpoints/{foreign}/ingest", content=b"{}", timeout=60)
    assert anonymous.status_code == 401
    ledger = httpx.get(
        node.url + "/v1/ledger", params={"by": "total"}, headers=node.headers, timeout=20
    )
    assert ledger.json()["balance"] == 0


CURL = """curl -X POST https://api.edge.mq/v1/token/exchange \\
-H "Authorization: Bearer $TOKEN" \\
-H "Content-Type: application/json" \\
-d '{"api_key":"emq_live_a1b2c3d4e5f6g7h8i9j0","scope":"admin","ttl":"15m"}'"""
"""The vendor's page prints it so, but for the line ends; its Authorization is of no use."""


@pytest.mark.skipif(shutil.which("curl") is None, reason="the vendor's example needs curl")
def test_vendors_curl_gets_a_token_that_works_until_its_key_ends(node: Node) -> None:
    """With our address and our key; the token of a key that is revoked is refused at once."""
    folder = ("--data", str(node.directory), "--json")
    made = node.weir("keys", "create", "--scopes", "ingest,metrics,admin,query", *folder)
    key = json.loads(made.stdout)

    def exchange(scope: str) -> str:
        text = CURL.replace("https://api.edge.mq", node.url)
        text = text.replace("emq_live_a1b2c3d4e5f6g7h8i9j0", key["key"])
        command = shlex.split(text.replace('"admin"', f'"{scope}"').replace("\\\n", " "))
        ran = subprocess.run([*command, "-s"], capture_output=True, timeout=120, check=True)
        reply = json.loads(ran.stdout)
        assert (reply["token_type"], reply["expires_in"]) == ("Bearer", 900)
        return str(reply["access_token"])

    bearers = {
        scope: {"Authorization": f"Bearer {exchange(scope)}"}
        for scope in ("admin", "ingest", "metrics", "query")
    }

    def status(method: str, path: str, scope: str, **options: object) -> int:
        url = node.url + path
        return httpx.request(method, url, headers=bearers[scope], timeout=20, **options).status_code  # type: ignore[arg-type]  # httpx takes them by name

    here = f"/v1/endpoints/{_endpoint(node)}/ingest"
    sent = {"content": b'{"event":"by_token"}'}
    sql = {"q": "SELECT event FROM events WHERE event = 'by_token'"}
    for _ in range(4):  # by whichever worker
        assert status("POST", here, "ingest", **sent) == 202
    _wait_for(node, "by_token", 4)
    for scope, expected in (("admin", 403), ("metrics", 403), ("query", 403)):
        assert status("POST", here, scope, **sent) == expected
    assert status("GET", "/v1/query", "query", params=sql) == 200
    assert status("GET", "/v1/query", "ingest", params=sql) == 403
    assert status("GET", "/v1/ledger", "metrics") == 200
    assert status("GET", "/v1/ledger", "query") == 403
    assert status("GET", "/v1/events/none/trace", "metrics") == 404
    jwks = httpx.get(f"{node.url}/.well-known/jwks.json", timeout=20)
    assert [item["alg"] for item in jwks.json()["keys"]] == ["RS256"]
    assert node.weir("keys", "revoke", key["id"], *folder).returncode == 0
    for _ in range(4):
        assert status("POST", here, "ingest", **sent) == 401
    assert status("GET", "/v1/query", "query", params=sql) == 401


def test_tokens_outlive_a_restart_and_a_rotation(node: Node) -> None:
    """Signing keys are state: a token of before is good; after --at-once it is not."""
    wanted = {"api_key": node.key, "scope": "ingest"}
    url = f"{node.url}/v1/token/exchange"
    first = httpx.post(url, json=wanted, timeout=20).json()["access_token"]
    node.stop()
    node.start()
    folder = ("--data", str(node.directory), "--json")

    def status(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        path = f"{node.url}/v1/events"
        return httpx.post(path, json={"event": "e"}, headers=headers, timeout=20).status_code

    assert status(first) == 202
    assert node.weir("tokens", "rotate", *folder).returncode == 0
    second = httpx.post(url, json=wanted, timeout=20).json()["access_token"]
    assert (status(first), status(second)) == (202, 202)
    assert node.weir("tokens", "rotate", "--at-once", *folder).returncode == 0
    assert (status(first), status(second)) == (401, 401)
    log = node.log.read_text()
    for secret in (first, second, first.rsplit(".", 1)[1], node.key, "PRIVATE"):
        assert secret not in log
    assert not re.search(r"eyJ[\w-]{20,}\.", log)
