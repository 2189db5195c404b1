"""The process that merges: small jobs are done beside a large one, and what ends it is told."""

import json
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pytest

from tests.end_to_end.running_node import wait_until
from weir.lake.merge import GROUP_SHARE, Merged, MergeJob
from weir.lake.parquet import encode_rows
from weir.lake.schema import CANONICAL
from weir.loader.upkeep.merge_process import ProcessMerger

MEMORY_BYTES = 64 * 1024 * 1024

Result = tuple[int, Merged | str]


def job_of(root: Path, name: str, row_count: int, *, text: str = "") -> MergeJob:
    """A job over two files with so many rows together, which hold a text each."""
    directory = root / "lake" / name
    directory.mkdir(parents=True)
    inputs = []
    for place in range(2):
        numbers = list(range(place, row_count, 2))
        columns = {
            "event_id": [f"{number:08d}" for number in numbers],
            "event": ["e"] * len(numbers),
            "ts": numbers,
            "received_at": numbers,
            "ts_source": ["client"] * len(numbers),
            "seq": numbers,
            "properties": [json.dumps({"n": number, "text": text}) for number in numbers],
            "endpoint": ["e"] * len(numbers),
            "dialect": ["native"] * len(numbers),
            "schema_version": [1] * len(numbers),
        }
        arrays = [
            pa.array(columns.get(field.name, [None] * len(numbers)), field.type)
            for field in CANONICAL
        ]
        path = directory / f"{place}.parquet"
        path.write_bytes(encode_rows(pa.table(arrays, schema=CANONICAL)))
        inputs.append(path)
    return MergeJob(
        root=str(root),
        inputs=tuple(str(path.relative_to(root)) for path in inputs),
        sha256=tuple(sha256(path.read_bytes()).hexdigest() for path in inputs),
        row_count=row_count,
        earlier=(),
        columns_max=8,
        memory_bytes=MEMORY_BYTES,
    )


def results_of(merger: ProcessMerger, count: int) -> list[Result]:
    """So many results, in the order in which they came."""
    found: list[Result] = []

    def are_there() -> bool:
        found.extend(merger.results())
        return len(found) >= count

    wait_until(are_there, within_s=30, what="results")
    return found


def test_small_job_is_done_before_the_large_one_that_goes_on(tmp_path: Path) -> None:
    """In the same process; both are whole. The large one has three row groups."""
    merger = ProcessMerger()
    text = "x" * (MEMORY_BYTES // GROUP_SHARE // 40)
    merger.begin(1, job_of(tmp_path, "large", 100, text=text))
    merger.begin(2, job_of(tmp_path, "small", 10))
    found = results_of(merger, 2)
    merger.rest()
    assert [number for number, _ in found] == [2, 1]
    counts = [result.row_count for _, result in found if isinstance(result, Merged)]
    assert counts == [10, 100]
    assert merger.cpu_s > 0


def test_end_of_the_process_is_told_for_every_job(tmp_path: Path) -> None:
    """And the next job gets another process."""
    merger = ProcessMerger()
    merger.begin(1, job_of(tmp_path, "a", 10))
    process = merger._process
    assert process is not None
    process.kill()
    [(number, reason)] = results_of(merger, 1)
    assert (number, reason) == (1, "the process ended while merging")
    merger.begin(2, job_of(tmp_path, "b", 10))
    [(number, result)] = results_of(merger, 1)
    assert number == 2
    assert isinstance(result, Merged)
    merger.stop()


def test_what_cannot_be_merged_is_told_with_the_reason(tmp_path: Path) -> None:
    """The process goes on with the next job."""
    merger = ProcessMerger()
    job = job_of(tmp_path, "a", 10)
    (tmp_path / job.inputs[1]).write_bytes(b"PAR1 but not really")
    merger.begin(1, job)
    [(_, reason)] = results_of(merger, 1)
    assert reason == f"The lake file {job.inputs[1]} is not what was written."
    merger.begin(2, job_of(tmp_path, "b", 10))
    assert isinstance(results_of(merger, 1)[0][1], Merged)
    merger.stop()


@pytest.mark.parametrize("is_running", [True, False])
def test_nothing_begins_after_a_stop(tmp_path: Path, is_running: bool) -> None:
    """A job that was asked for all the same has failed."""
    merger = ProcessMerger()
    if is_running:
        merger.begin(1, job_of(tmp_path, "a", 10))
    merger.stop()
    merger.begin(2, job_of(tmp_path, "b", 10))
    assert merger._process is None
    assert merger.results() == [(2, "the process ended while merging")]
