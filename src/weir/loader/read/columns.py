"""Lists of values become Arrow columns, all values of a column at once."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from weir.lake.sidecar import I64, Flags

_NULL_CHARS = len("null")
_FIRST_OF_NULL = ord("n")


class JsonColumn(NamedTuple):
    """A column of JSON texts, and the same texts; those of nulls are empty."""

    array: pa.Array
    texts: Sequence[bytes]


def text_column(values: Sequence[str | None]) -> pa.Array:
    """A column of texts. Raises ``ArrowInvalid`` or ``UnicodeError`` for one that is no text."""
    if values.count(None) == len(values):
        return pa.nulls(len(values), pa.string())
    return pa.array(values, pa.string())


def json_column(raws: Sequence[bytes], *, absent: bytes) -> JsonColumn:
    """A column of JSON values, each without space around it.

    ``absent`` stands for missing ones (empty or ``null``); where that is empty, they are null.
    Raises ``ArrowInvalid`` when a value is not UTF-8.
    """
    if not absent and not any(raws):
        return JsonColumn(pa.nulls(len(raws), pa.string()), raws)
    content, sizes, ends = _joined(raws)
    first = np.frombuffer(content, dtype=np.uint8)
    gone = sizes == 0
    nulls = np.flatnonzero(sizes == _NULL_CHARS)
    gone[nulls[first[ends[nulls] - _NULL_CHARS] == _FIRST_OF_NULL]] = True
    if not gone.any():
        return JsonColumn(_strings(content, ends, None), raws)
    texts = [absent if is_gone else raw for raw, is_gone in zip(raws, gone.tolist(), strict=True)]
    if not absent and gone.all():
        return JsonColumn(pa.nulls(len(texts), pa.string()), texts)
    content, sizes, ends = _joined(texts)
    return JsonColumn(_strings(content, ends, None if absent else ~gone), texts)


def _joined(texts: Sequence[bytes]) -> tuple[bytes, I64, I64]:
    """All texts as one, their sizes, and where they end."""
    sizes = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    return b"".join(texts), sizes, np.cumsum(sizes)


def _strings(content: bytes, ends: I64, valid: Flags | None) -> pa.Array:
    offsets = np.zeros(len(ends) + 1, dtype=np.int32)
    offsets[1:] = ends
    bitmap = None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
    array = pa.StringArray.from_buffers(
        len(ends), pa.py_buffer(offsets), pa.py_buffer(content), bitmap
    )
    if not content.isascii():
        array.validate(full=True)
    return array
