"""TLS at the door: the certificate of new connections, read again when its files change.

A pair of files that cannot be used does not replace one that can: it is told, and new connections
go on with what was read before. TLS 1.2 and up.
"""

import os
import ssl
from pathlib import Path
from typing import Self

from weir.errors import InvalidInput
from weir.telemetry import Happening, emit

_Stamp = tuple[tuple[int, int, int], ...]


class Certificate:
    """The certificate chain and the key of a door."""

    __slots__ = ("_files", "_stamp", "context")

    def __init__(self, cert: Path, key: Path) -> None:
        self._files = (cert, key)
        self._stamp = self._look()
        self.context = _context(cert, key)
        """What a listening server takes; connections made later use what is in it by then."""

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
        except (OSError, ssl.SSLError) as error:
            raise InvalidInput(
                f"The certificate {cert} with the key {key} cannot be used: {_words(error)}.",
                code="tls_files",
                hint="Both are PEM; the key must be the certificate's, without a password.",
            ) from error

    def refresh(self) -> None:
        """Reads the files again when they have changed."""
        try:
            stamp = self._look()
            if stamp == self._stamp:
                return
            self._stamp = stamp
            _context(*self._files)
            self.context.load_cert_chain(*self._files, password=_no_password)
        except (OSError, ssl.SSLError) as error:
            emit(Happening.CERTIFICATE_REFUSED, reason=_words(error))
        else:
            emit(Happening.CERTIFICATE_LOADED)

    def _look(self) -> _Stamp:
        found = [os.stat(path) for path in self._files]  # noqa: PTH116  # follows links like open
        return tuple((each.st_ino, each.st_mtime_ns, each.st_size) for each in found)


def _context(cert: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(cert, key, password=_no_password)
    return context


def _no_password() -> str:
    """Instead of a question on a terminal that nobody answers."""
    return ""


def _words(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return error.reason or "they do not fit together"
    return error.strerror or type(error).__name__
