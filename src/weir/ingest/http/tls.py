"""TLS at the door: the certificate of new connections, read again when its files change.

A pair of files that cannot be used does not replace one that can: it is told, and new connections
go on with what was read before. TLS 1.2 and up.
"""

from __future__ import annotations

import os
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Self

from weir.errors import InvalidInput

_Stamp = tuple[tuple[int, int, int], ...]

_CERTIFICATE_MARK = "-----BEGIN CERTIFICATE-----"
_CERTIFICATE_END = "-----END CERTIFICATE-----"
_KEY_MARK = "PRIVATE KEY-----"
_MISMATCHES = {"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"}
"""The last is what OpenSSL says of a key of another kind."""

_DER_UTC_TIME = 0x17
_DER_VERSION = 0xA0
_DER_LONG = 0x80


class Refreshed(NamedTuple):
    """What became of files that have changed."""

    refusal: str
    """Why they are not used; empty: new handshakes use them."""


class Certificate:
    """The certificate chain and the key of a door."""

    __slots__ = ("_files", "_refused", "_stamp", "context")

    def __init__(self, cert: Path, key: Path) -> None:
        self._files = (cert, key)
        self._stamp = self._look()
        self.context = _context(cert, key)
        """For handshakes that begin now; another one when the files have changed."""
        self._refused = ""

    @classmethod
    def load(cls, cert: str, key: str) -> Self | None:
        """Reads both files; None without either. ``InvalidInput`` says why they are of no use."""
        if not cert and not key:
            return None
        if not cert or not key:
            raise InvalidInput(
                "tls_cert and tls_key are given together or not at all.",
                code="tls_files",
                hint="Give both with --tls-cert and --tls-key.",
            )
        try:
            return cls(Path(cert), Path(key))
        except (OSError, ValueError) as error:
            raise InvalidInput(
                f"The certificate {cert} with the key {key} cannot be used: {_words(error)}.",
                code="tls_files",
                hint="Both are PEM; the key must be the certificate's, without a password.",
            ) from error

    def refresh(self) -> Refreshed | None:
        """Reads the files again when they have changed; None when nothing is new.

        Into a context of their own: one keeps a key of each kind, and would go on with an old one.
        The files may be looked at every second; the same reason is told once.
        """
        try:
            stamp = self._look()
            if stamp == self._stamp:
                return None
            context = _context(*self._files)
        except (OSError, ValueError) as error:
            reason, told = _words(error), self._refused
            self._refused = reason
            return Refreshed(reason) if reason != told else None
        self.context, self._stamp, self._refused = context, stamp, ""
        return Refreshed("")

    def _look(self) -> _Stamp:
        found = [os.stat(path) for path in self._files]  # noqa: PTH116  # follows links like open
        return tuple((each.st_ino, each.st_mtime_ns, each.st_size) for each in found)


def expires_at(cert: Path) -> datetime:
    """The time at which a PEM file's first certificate expires; ``OSError``, ``ValueError``."""
    text = cert.read_text(errors="replace")
    start, end = text.find(_CERTIFICATE_MARK), text.find(_CERTIFICATE_END)
    if start < 0 or end < start:
        raise ValueError(f"{cert} holds no PEM certificate")
    der = ssl.PEM_cert_to_DER_cert(text[start : end + len(_CERTIFICATE_END)])
    try:
        return _not_after(der)
    except IndexError as error:
        raise ValueError(f"{cert} holds no certificate that can be read") from error


def _not_after(der: bytes) -> datetime:
    """RFC 5280, 4.1: version (optional), serialNumber, signature, issuer, validity."""
    _, certificate, _ = _element(der)
    _, rest, _ = _element(certificate)
    tag, _, after_first = _element(rest)
    if tag == _DER_VERSION:
        rest = after_first
    for _ in range(3):
        rest = _element(rest)[2]
    _, validity, _ = _element(rest)
    kind, moment, _ = _element(_element(validity)[2])
    form = "%y%m%d%H%M%SZ" if kind == _DER_UTC_TIME else "%Y%m%d%H%M%SZ"
    return datetime.strptime(moment.decode("ascii"), form).replace(tzinfo=UTC)


def _element(der: bytes) -> tuple[int, bytes, bytes]:
    """Tag and content of the first element, and what follows it."""
    length, start = der[1], 2
    if length >= _DER_LONG:
        start += length - _DER_LONG
        length = int.from_bytes(der[2:start], "big")
    return der[0], der[start : start + length], der[start + length :]


def _context(cert: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    _check_marks(cert, key)
    context.load_cert_chain(cert, key, password=_no_password)
    return context


def _check_marks(cert: Path, key: Path) -> None:
    """Raises ``ValueError``, with the reason, for files that OpenSSL calls ``PEM lib``."""
    if _CERTIFICATE_MARK not in cert.read_text(errors="replace"):
        raise ValueError(f"{cert} holds no PEM certificate")
    text = key.read_text(errors="replace")
    if _KEY_MARK not in text:
        raise ValueError(f"{key} holds no PEM private key")
    if "ENCRYPTED" in text:
        raise ValueError("the key is protected by a password")


def _no_password() -> str:
    """Instead of a question on a terminal that nobody answers."""
    return ""


def _words(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        if error.reason in _MISMATCHES:
            return "the key is not the certificate's"
        return f"they cannot be read ({error.reason or 'no reason given'})"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error)
