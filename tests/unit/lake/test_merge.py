"""Merging files: every row once, in order, whatever the order of the inputs; damage is told."""

import json
import random
from hashlib import sha256
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from weir.domain.layout import Accelerated, ColumnKind
from weir.errors import Corrupt
from weir.lake import merge as merging
from weir.lake.merge import Merged, MergeJob, merge
from weir.lake.parquet import encode_rows
from weir.lake.schema import CANONICAL

MEMORY_BYTES = 64 * 1024 * 1024


def rows_of(numbers: list[int]) -> pa.Table:
    """Rows in the order of a lake file, some without a user."""
    rows = [
        {
            "event_id": f"id-{n:05d}",
            "event": f"ev{n % 3}",
            "user_key": None if n % 5 == 0 else n % 11 - 5,
            "ts": n * 10,
            "client_ts": None if n % 2 else n,
            "received_at": n,
            "ts_source": "client",
            "seq": n,
            "properties": json.dumps({"n": n, "plan": "pro" if n % 2 else "free"}),
            "endpoint": "e",
            "dialect": "native",
            "schema_version": 1,
        }
        for n in numbers
    ]
    columns = [pa.array([row.get(field.name) for row in rows], field.type) for field in CANONICAL]
    order = [("event", "ascending"), ("user_key", "ascending"), ("ts", "ascending")]
    return pa.table(columns, schema=CANONICAL).sort_by(order)


def job_of(root: Path, parts: list[list[int]], **fields: object) -> MergeJob:
    """A job over files with these rows."""
    directory = root / "lake" / "1" / "2" / "dt=2026-11-20"
    directory.mkdir(parents=True, exist_ok=True)
    for place, part in enumerate(parts):
        (directory / f"{place:08d}-0.parquet").write_bytes(encode_rows(rows_of(part)))
    inputs = tuple(f"lake/1/2/dt=2026-11-20/{place:08d}-0.parquet" for place in range(len(parts)))
    made = {
        "root": str(root),
        "inputs": inputs,
        "sha256": tuple(sha256((root / path).read_bytes()).hexdigest() for path in inputs),
        "row_count": sum(map(len, parts)),
        "earlier": (),
        "columns_max": 8,
        "memory_bytes": MEMORY_BYTES,
        **fields,
    }
    return MergeJob(**made)  # type: ignore[arg-type]  # checked by use


def shuffled_parts(count: int, parts: int) -> list[list[int]]:
    """Numbers spread over parts, always alike."""
    numbers = list(range(count))
    random.Random(7).shuffle(numbers)
    return [sorted(numbers[place::parts]) for place in range(parts)]


def test_rows_come_together_in_order(tmp_path: Path) -> None:
    """All of them once, sorted as one file would be, and with the times that they have."""
    found = merge(job_of(tmp_path, shuffled_parts(900, 5)))
    table = pq.read_table(tmp_path / found.path, partitioning=None)
    expected = rows_of(list(range(900)))
    assert table.select(CANONICAL.names).equals(expected)
    assert (found.row_count, found.ts_min_us, found.ts_max_us) == (900, 0, 8990)
    assert found.byte_count == (tmp_path / found.path).stat().st_size
    assert found.columns == ()


def test_large_results_get_columns_and_several_row_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proven over all parts, and chosen from rows of all inputs."""
    monkeypatch.setattr(merging, "ROW_GROUP_ROWS", 2000)
    found = merge(job_of(tmp_path, shuffled_parts(5000, 3)))
    file = pq.ParquetFile(tmp_path / found.path)
    assert [file.metadata.row_group(n).num_rows for n in range(3)] == [2000, 2000, 1000]
    assert {column.choice.name for column in found.columns} == {"p_n__i64", "p_plan__text"}
    table = file.read()
    numbers = [json.loads(text)["n"] for text in table["properties"].to_pylist()]
    assert table["p_n__i64"].to_pylist() == numbers


def test_earlier_columns_are_kept(tmp_path: Path) -> None:
    """The layout of a project changes seldom."""
    earlier = (Accelerated("/plan", ColumnKind.TEXT),)
    found = merge(job_of(tmp_path, shuffled_parts(5000, 2), earlier=earlier, columns_max=1))
    assert [column.choice for column in found.columns] == list(earlier)


def test_the_same_rows_give_the_same_file(tmp_path: Path) -> None:
    """However they were divided, and in whatever order the files are named."""
    one = merge(job_of(tmp_path / "a", shuffled_parts(5000, 3)))
    job = job_of(tmp_path / "b", shuffled_parts(5000, 4))
    reversed_job = msgspec.structs.replace(job, inputs=job.inputs[::-1], sha256=job.sha256[::-1])
    two = merge(reversed_job)
    assert one.sha256 == two.sha256
    assert Path(one.path).name == Path(two.path).name


def test_a_flipped_bit_is_not_merged_into_a_new_file(tmp_path: Path) -> None:
    """Wherever it is: many are read without an error, and would have a new checksum then."""
    job = job_of(tmp_path, shuffled_parts(40, 2))
    victim = tmp_path / job.inputs[0]
    content = victim.read_bytes()
    for at in range(0, len(content), 101):
        victim.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(Corrupt):
            merge(job)
    victim.write_bytes(content)
    assert merge(job).row_count == 40


@pytest.mark.parametrize("damage", ["cut", "garbage", "missing", "fewer"])
def test_damaged_inputs_are_told_and_leave_nothing(tmp_path: Path, damage: str) -> None:
    """No file, no temporary one; the inputs stay."""
    job = job_of(tmp_path, shuffled_parts(300, 2))
    victim = tmp_path / job.inputs[1]
    content = victim.read_bytes()
    if damage == "cut":
        victim.write_bytes(content[: len(content) // 2])
    elif damage == "garbage":
        middle = len(content) // 3
        victim.write_bytes(content[:middle] + b"\xff" * 64 + content[middle + 64 :])
    elif damage == "missing":
        victim.unlink()
    else:
        victim.write_bytes(encode_rows(rows_of([1, 2])))
    with pytest.raises(Corrupt):
        merge(job)
    left = {path.name for path in victim.parent.iterdir()}
    assert left <= {Path(path).name for path in job.inputs}


def test_a_result_survives_its_journey_as_json(tmp_path: Path) -> None:
    """It comes from another process."""
    found = merge(job_of(tmp_path, shuffled_parts(5000, 2)))
    assert msgspec.json.decode(msgspec.json.encode(found), type=Merged) == found
