"""Which properties get columns of their own: a pure function of a sample and the earlier choice.

Frequent scalar properties win. A property that has a column keeps it for a while when it gets
rarer, and keeps its kind while nearly all values fit, so that layouts change seldom and a query
meets few of them. A wrong choice costs speed or space, never an answer.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec
import numpy as np
import pyarrow as pa

from weir.domain.layout import Accelerated, ColumnKind

SAMPLE_ROWS = 256
"""Rows that are looked at, evenly spaced: what choosing costs does not grow with the file."""

KEYS_PER_ROW = 500
"""Properties of one row that are looked at, in the order they were sent."""

DEPTH_MAX = 3
"""Levels of objects within objects that are looked at."""

POINTER_CHARS_MAX = 128
"""Longer names get no column."""

TAKEN_SHARE = 0.05
"""Share of rows that must have a property for a column."""

KEPT_SHARE = 0.01
"""Share of rows that must have a property for a column that is there already to stay."""

FITTING_SHARE = 0.95
"""Share of values that must fit the kind of a column that is there already."""

INTEGER_MAX = 2**63 - 1

_decode = msgspec.json.Decoder(dict[str, object]).decode


class Sample:
    """What was seen of a project's properties."""

    __slots__ = ("_seen", "row_count")

    def __init__(self) -> None:
        self.row_count = 0
        self._seen: Counter[tuple[str, ColumnKind]] = Counter()

    def observe(self, properties: str) -> None:
        """Counts one row's scalars; its JSON is an object that the door has let in."""
        self.row_count += 1
        try:
            row = _decode(properties)
        except msgspec.DecodeError:  # a number beyond what Python's parser takes
            return
        self._seen.update(islice(_scalars(row, "", DEPTH_MAX), KEYS_PER_ROW))

    def kinds(self) -> dict[str, Counter[ColumnKind]]:
        """Every property seen, and how often as which kind."""
        found: dict[str, Counter[ColumnKind]] = {}
        for (pointer, kind), count in self._seen.items():
            found.setdefault(pointer, Counter())[kind] = count
        return found


def sample_rows(properties: pa.ChunkedArray) -> Sample:
    """A sample of a column of JSON objects; the same rows give the same sample."""
    count = min(SAMPLE_ROWS, len(properties))
    places = np.linspace(0, len(properties) - 1, num=count, dtype=np.int64)
    sample = Sample()
    for text in properties.take(pa.array(places)).to_pylist():
        sample.observe(text)
    return sample


def choose_columns(
    sample: Sample, earlier: Sequence[Accelerated], *, columns_max: int
) -> tuple[Accelerated, ...]:
    """Chooses at most ``columns_max`` columns, by name.

    The most frequent properties, those of ``earlier`` first among them. The engine knows columns
    by names without regard to case, so of names that differ only in case one gets a column.
    """
    kinds_before = {each.pointer: each.kind for each in earlier}
    ranked = sorted(
        (
            (pointer in kinds_before, kinds.total(), pointer, kinds)
            for pointer, kinds in sample.kinds().items()
            if kinds.total() >= _rows_needed(sample, pointer in kinds_before)
            and len(pointer) <= POINTER_CHARS_MAX
        ),
        key=lambda each: (not each[0], -each[1], each[2]),
    )
    chosen: dict[str, Accelerated] = {}
    for _, _, pointer, kinds in ranked:
        if len(chosen) == columns_max:
            break
        choice = Accelerated(pointer, _kind(kinds, kinds_before.get(pointer)))
        chosen.setdefault(choice.name.casefold(), choice)
    return tuple(sorted(chosen.values()))


def _rows_needed(sample: Sample, has_column: bool) -> float:
    return sample.row_count * (KEPT_SHARE if has_column else TAKEN_SHARE)


def _kind(seen: Counter[ColumnKind], earlier: ColumnKind | None) -> ColumnKind:
    """The narrowest kind that all values fit, or the earlier one while nearly all do."""
    if earlier is not None:
        fitting = seen.total() if earlier is ColumnKind.TEXT else _fitting(seen, earlier)
        if fitting >= FITTING_SHARE * seen.total():
            return earlier
    for kind in (ColumnKind.BOOLEAN, ColumnKind.INTEGER, ColumnKind.FLOAT):
        if _fitting(seen, kind) == seen.total():
            return kind
    return ColumnKind.TEXT


def _fitting(seen: Counter[ColumnKind], kind: ColumnKind) -> int:
    return seen[kind] + (seen[ColumnKind.INTEGER] if kind is ColumnKind.FLOAT else 0)


def _scalars(value: object, above: str, depth: int) -> Iterator[tuple[str, ColumnKind]]:
    """The pointers and kinds of the scalars below an object; nulls and lists are none."""
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        pointer = f"{above}/{key.replace('~', '~0').replace('/', '~1')}"
        match inner:
            case dict() if depth > 1:
                yield from _scalars(inner, pointer, depth - 1)
            case bool():
                yield pointer, ColumnKind.BOOLEAN
            case int():
                fits = -INTEGER_MAX <= inner <= INTEGER_MAX
                yield pointer, ColumnKind.INTEGER if fits else ColumnKind.TEXT
            case float():
                yield pointer, ColumnKind.FLOAT
            case str():
                yield pointer, ColumnKind.TEXT
            case _:
                pass
