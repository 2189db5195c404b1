"""Queries over two tables, through a real worker: what each is made of is its own."""

import json
from typing import Any

import pyarrow as pa
import pytest
from msgspec.structs import replace

from tests.unit.query.rig import NOON_US, Node, rows, snapshot_of
from weir.domain.snapshot import LakeFile
from weir.errors import WeirError
from weir.query.job import TableSnapshot

DAY_US = 86_400_000_000


def table(
    name: str, files: list[LakeFile], tail: pa.Table | None, *, older_us: int = 0
) -> TableSnapshot:
    """A table whose watermark is noon, or older."""
    snapshot, tail_fd = snapshot_of(files, tail)
    return TableSnapshot(
        name, replace(snapshot, watermark_us=snapshot.watermark_us - older_us), tail_fd
    )


def answer(node: Node, sql: str, **options: Any) -> Any:
    """The parsed answer over ``events`` (two rows in a file, one in a tail) and ``visits``."""
    events = node.write("events.parquet", rows([{"page": "e"}] * 2))
    visits = node.write("visits.parquet", rows([{"page": "v"}] * 3, event="visit", seq=100))
    tables = [
        table("events", [events], rows([{"page": "tail"}], seq=50)),
        table("visits", [visits], rows([{"page": "late"}] * 2, event="visit", seq=150), older_us=9),
    ]
    return json.loads(node.loop.run_until_complete(node.query_tables(sql, tables, **options)))


def test_each_table_has_its_own_rows(node: Node) -> None:
    """Files and tail of one are never the other's, alone or joined."""
    assert answer(node, "SELECT DISTINCT event FROM events")["rows"] == [["click"]]
    assert answer(node, "SELECT DISTINCT event FROM visits")["rows"] == [["visit"]]
    sql = (
        "SELECT e.properties.page, v.properties.page, count() FROM events e, visits v"
        " GROUP BY ALL ORDER BY ALL"
    )
    pages = [["e", "late", 4], ["e", "v", 6], ["tail", "late", 2], ["tail", "v", 3]]
    assert answer(node, sql)["rows"] == pages


def test_scanned_is_what_the_tables_in_use_hold(node: Node) -> None:
    """A table that is not named costs nothing, and each is pruned by its own WHERE."""
    counted = {
        "SELECT 1": 0,
        "SELECT count() FROM events": 3,
        "SELECT count() FROM visits": 5,
        "SELECT (SELECT count() FROM events), (SELECT count() FROM visits)": 8,
        # Of events the file is left out; the tail always counts.
        "SELECT count() FROM events e, visits v WHERE e.ts > '2027-01-01'": 6,
        "SELECT count() FROM events e, visits v WHERE v.ts > '2027-01-01'": 5,
    }
    found = {sql: answer(node, sql)["meta"]["rows_scanned"] for sql in counted}
    assert found == counted


def test_watermark_is_the_least_of_what_was_read(node: Node) -> None:
    """Of one table its own; of both, or of none, the older one."""
    older, newer = "2026-11-20T11:59:59.999991Z", "2026-11-20T12:00:00Z"
    assert NOON_US % 1_000_000 == 0
    for sql, told in (
        ("SELECT count() FROM events", newer),
        ("SELECT count() FROM visits", older),
        ("SELECT count() FROM events, visits", older),
        ("SELECT 1", older),
    ):
        assert answer(node, sql)["meta"]["watermark"] == told


def test_table_that_the_job_does_not_list_cannot_be_read(node: Node) -> None:
    """Neither by its name nor by its file, which lies beside the others."""
    hidden = node.write("hidden.parquet", rows([{"page": "secret"}]))
    for sql in ("SELECT * FROM hidden", f"SELECT * FROM '{node.root / hidden.path}'"):
        with pytest.raises(WeirError) as caught:
            answer(node, sql)
        assert caught.value.code in {"invalid_query", "forbidden_query"}


def test_every_table_is_described(node: Node) -> None:
    """DESCRIBE takes any of them; a mistake names them all."""
    assert "received_at" in {row[0] for row in answer(node, "DESCRIBE visits")["rows"]}
    with pytest.raises(WeirError) as caught:
        answer(node, "SELECT v.nope FROM visits v")
    assert caught.value.hint == "DESCRIBE events or visits lists the columns."


def test_parameters_are_values_of_the_statement(node: Node) -> None:
    """A text and a number, of which neither is read as SQL."""
    found = answer(
        node,
        "SELECT seq FROM events WHERE event = $event AND seq >= $seq ORDER BY seq",
        parameters={"event": "click", "seq": 1},
    )
    assert found["rows"] == [[1], [50]]
    hostile = {"event": "' OR true --", "seq": 0}
    sql = "SELECT seq FROM events WHERE event = $event AND seq >= $seq"
    assert answer(node, sql, parameters=hostile)["rows"] == []
