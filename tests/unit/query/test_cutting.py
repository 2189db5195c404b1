"""A result ends at its limit, and its last part says whether there was more."""

from collections.abc import Iterator

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.query.cutting import cut


def batches_of(sizes: list[int]) -> Iterator[pa.RecordBatch]:
    """Batches of so many rows each, numbered through; fails when read beyond the last one."""
    start = 0
    for size in sizes:
        yield pa.RecordBatch.from_pydict({"n": range(start, start + size)})
        start += size


@given(st.lists(st.integers(0, 5), max_size=8), st.integers(1, 20))
def test_parts_are_the_first_rows_and_say_where_they_end(sizes: list[int], row_limit: int) -> None:
    """Whatever the batches: the rows up to the limit, one last part, and the truth about more."""
    parts = list(cut(batches_of(sizes), row_limit=row_limit))
    found = [row for part in parts for row in part.batch["n"].to_pylist()]
    assert found == list(range(min(sum(sizes), row_limit)))
    assert [part.is_last for part in parts] == [False] * (len(parts) - 1) + [True] * bool(parts)
    assert any(part.truncated for part in parts) == (sum(sizes) > row_limit)
    assert not any(part.truncated for part in parts[:-1])
    assert all(part.batch.num_rows for part in parts)


@pytest.mark.parametrize(("row_limit", "read"), [(4, 2), (5, 2), (3, 2), (1, 1)])
def test_no_more_is_read_than_the_limit_needs(row_limit: int, read: int) -> None:
    """A row beyond the limit is enough to know that there are more."""
    sizes: list[int] = []

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in batches_of([3, 3, 3, 3]):
            sizes.append(batch.num_rows)
            yield batch

    assert list(cut(batches(), row_limit=row_limit))[-1].truncated
    assert len(sizes) == read
