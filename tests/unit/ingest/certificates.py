"""Certificates for tests, made by openssl."""

import shutil
import ssl
import subprocess
from pathlib import Path

HAS_OPENSSL = shutil.which("openssl") is not None


_KINDS = {
    "ec": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
    "rsa": ("-newkey", "rsa:2048"),
}


def make_certificate(directory: Path, name: str, *, kind: str = "ec", days: int = 2) -> None:
    """Writes ``cert.pem`` and ``key.pem`` for 127.0.0.1 with this common name, key first."""
    key, cert = directory / "new-key.pem", directory / "new-cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", *_KINDS[kind]),
            *("-nodes", "-keyout", str(key), "-out", str(cert), "-days", str(days)),
            *("-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    key.rename(directory / "key.pem")
    cert.rename(directory / "cert.pem")


def trusting(directory: Path) -> ssl.SSLContext:
    """What a client needs to trust the certificate."""
    return ssl.create_default_context(cafile=str(directory / "cert.pem"))


def client_hello() -> bytes:
    """The first bytes of a TLS client that says no more."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    said = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), said)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        return said.read()
    raise AssertionError("a handshake without a server")
