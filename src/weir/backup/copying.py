"""Copying a file so that it is durable, and hashed on its way."""

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, NamedTuple

from weir.storage.local import make_directory, place_durable

CHUNK_BYTES = 1 << 20

Advance = Callable[[int], None]
"""Told how many bytes more are done."""


class Copied(NamedTuple):
    """What was copied."""

    byte_count: int
    sha256: str


def copy_durable(
    source: Path,
    target: Path,
    *,
    length: int | None = None,
    expected: str | None = None,
    advance: Advance,
) -> Copied | None:
    """Copies a file, or its first ``length`` bytes, so that it survives a power cut.

    None, and nothing at ``target``, when there are fewer bytes or their SHA-256 is not the
    ``expected`` one. Raises ``OSError``.
    """
    make_directory(target.parent)
    temporary = target.with_name(f".{target.name}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with source.open("rb") as reader, os.fdopen(descriptor, "wb") as writer:
        copied = _pass_on(reader, writer, length, advance)
    if expected not in {None, copied.sha256} or length not in {None, copied.byte_count}:
        temporary.unlink()
        return None
    place_durable(temporary, target)
    return copied


def hash_of(path: Path, *, advance: Advance) -> Copied:
    """Length and SHA-256 of a file. Raises ``OSError``."""
    with path.open("rb") as reader:
        return _pass_on(reader, None, None, advance)


def _pass_on(
    reader: BinaryIO, writer: BinaryIO | None, length: int | None, advance: Advance
) -> Copied:
    digest = sha256()
    done = 0
    while chunk := reader.read(CHUNK_BYTES if length is None else min(CHUNK_BYTES, length - done)):
        digest.update(chunk)
        if writer is not None:
            writer.write(chunk)
        done += len(chunk)
        advance(len(chunk))
    return Copied(done, digest.hexdigest())
