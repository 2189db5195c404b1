"""The door with TLS, as curl, a browser's SDK and ``weir`` itself meet it."""

import socket
import ssl
import subprocess
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.running_node import Node, StartNode, wait_until
from tests.unit.ingest.certificates import HAS_OPENSSL, make_certificate, trusting

pytestmark = pytest.mark.skipif(not HAS_OPENSSL, reason="needs openssl")


@pytest.fixture
def node(start_node: StartNode, tmp_path: Path) -> Node:
    """A node whose certificate lies in ``tmp_path``."""
    make_certificate(tmp_path, "first")
    return start_node(tls_cert=tmp_path / "cert.pem", tls_key=tmp_path / "key.pem", workers=1)


def name_shown(node: Node) -> str:
    """The common name of the certificate that a new connection is shown."""
    port = int(node.url.rsplit(":", 1)[1])
    text = ssl.get_server_certificate(("127.0.0.1", port), timeout=20)
    told = subprocess.run(
        ["openssl", "x509", "-noout", "-subject"],
        input=text.encode(),
        capture_output=True,
        check=True,
    )
    return told.stdout.decode().strip().replace(" ", "").rpartition("CN=")[2]


def test_events_and_queries_go_over_tls(node: Node, tmp_path: Path) -> None:
    """Sent, kept alive, relayed, and asked for by the commands with --cacert."""
    assert node.url.startswith("https://")
    with httpx.Client(verify=trusting(tmp_path), headers=node.headers, timeout=60) as client:
        for number in range(3):
            sent = client.post(
                f"{node.url}/v1/ingest", json={"event": "e", "user_id": f"u{number}"}
            )
            assert sent.status_code == 202
        large = {"events": [{"event": "e", "properties": {"x": "y" * 9000}}] * 300}
        assert client.post(f"{node.url}/v1/batch", json=large).status_code == 202
    where = ("--data", str(node.directory), "--cacert", str(tmp_path / "cert.pem"))
    sql = "SELECT count() AS n FROM events"
    wait_until(
        lambda: '"n":303' in node.weir("query", sql, *where).stdout, within_s=20, what="all events"
    )
    file = tmp_path / "events.ndjson"
    file.write_text('{"event": "from-file"}\n')
    assert node.weir("send", str(file), *where).returncode == 0
    refused = node.weir("query", sql, "--data", str(node.directory))
    assert refused.returncode == 1
    assert "--cacert or WEIR_CACERT" in refused.stderr
    untrusted = node.weir("send", str(file), "--data", str(node.directory))
    assert untrusted.returncode == 1
    assert "--cacert or WEIR_CACERT" in untrusted.stderr
    assert not (tmp_path / "events.ndjson.weir-send").exists()


def test_old_versions_and_plain_http_are_refused(node: Node) -> None:
    """Plain HTTP is told what is amiss, TLS before 1.2 is not spoken; the others go on."""
    port = int(node.url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
        plain.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = plain.recv(1000)
        assert answer.startswith(b"HTTP/1.1 400 Bad Request")
        assert b"https://" in answer
    old = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-cipher", "ALL:@SECLEVEL=0"]
    for version, accepted in (("-tls1_1", False), ("-tls1_2", True)):
        told = subprocess.run([*old, version], input=b"", capture_output=True, check=False)
        assert (told.returncode == 0) is accepted
    assert name_shown(node) == "first"


def test_new_files_are_used_and_wrong_ones_are_not(node: Node, tmp_path: Path) -> None:
    """Without a restart; connections that are open stay."""
    context = trusting(tmp_path)
    with httpx.Client(verify=context, headers=node.headers, timeout=60) as client:
        assert client.get(f"{node.url}/livez").status_code == 200
        make_certificate(tmp_path, "second")
        wait_until(lambda: name_shown(node) == "second", within_s=20, what="the new certificate")
        assert client.get(f"{node.url}/livez").status_code == 200
    (tmp_path / "cert.pem").write_text("no certificate")
    wait_until(
        lambda: "certificate_refused" in node.log.read_text(), within_s=20, what="a log line"
    )
    assert name_shown(node) == "second"


def test_a_certificate_of_another_kind_of_key_replaces_the_old_one(
    node: Node, tmp_path: Path
) -> None:
    """EC to RSA and back: every client is shown the new one, whichever kinds it takes."""
    port = node.url.rsplit(":", 1)[1]

    def shown(*options: str) -> str:
        told = subprocess.run(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *options],
            input=b"",
            capture_output=True,
            check=False,
        )
        return told.stdout.decode().replace(" ", "").partition("subject=CN=")[2].split("\n")[0]

    def shows(name: str) -> bool:
        return shown() == name

    assert shows("first")
    for kind, name in (("rsa", "second"), ("ec", "third")):
        make_certificate(tmp_path, name, kind=kind)
        wait_until(partial(shows, name), within_s=20, what=name)
        assert shown("-noservername") == shown("-tls1_2") == name
    assert shown("-sigalgs", "RSA+SHA256", "-tls1_2") == ""


def test_a_reason_to_refuse_new_files_is_told_once(node: Node, tmp_path: Path) -> None:
    """They are looked at every second; another reason is told again, and good ones are taken."""
    (tmp_path / "key.pem").unlink()

    def told(reason: str) -> int:
        lines = node.log.read_text().splitlines()
        return sum("certificate_refused" in line and reason in line for line in lines)

    wait_until(lambda: told("No such file") == 1, within_s=20, what="the missing key")
    (tmp_path / "key.pem").write_text("nothing")
    wait_until(lambda: told("no PEM private key") == 1, within_s=20, what="the other reason")
    make_certificate(tmp_path, "second")
    wait_until(lambda: name_shown(node) == "second", within_s=20, what="the new certificate")
    assert told("No such file") == told("no PEM private key") == 1


@pytest.mark.parametrize("which", ["key only", "no such file", "other key", "no PEM", "password"])
def test_wrong_files_are_told_at_the_start(tmp_path: Path, which: str) -> None:
    """In one line that says what to do."""
    make_certificate(tmp_path, "a")
    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    node = Node(tmp_path / "node", {})
    options = ["--tls-cert", cert, "--tls-key", key]
    if which == "key only":
        options = ["--tls-key", key]
    elif which == "no such file":
        options[1] += ".gone"
    elif which == "no PEM":
        (tmp_path / "cert.pem").write_bytes(b"\x30\x82")
    elif which == "password":
        subprocess.run(
            ["openssl", "ec", "-aes256", "-passout", "pass:x", "-in", key, "-out", f"{key}.locked"],
            check=True,
            capture_output=True,
        )
        options[3] = f"{key}.locked"
    else:
        (tmp_path / "other").mkdir()
        make_certificate(tmp_path / "other", "b")
        options[3] = str(tmp_path / "other" / "key.pem")
    told = node.weir("serve", "--data", str(node.directory), "--port", "0", *options)
    assert told.returncode == 1
    words = {
        "key only": "given together",
        "no such file": "No such file",
        "other key": "the key is not the certificate's",
        "no PEM": "holds no PEM certificate",
        "password": "protected by a password",
    }
    assert words[which] in told.stderr
    assert not node.directory.exists()
    assert "Traceback" not in told.stderr
