"""The engine's test files are taken apart as their format says."""

from tests.differential.records import Record, records_of

FILE = """# name: a file
# group: [x]

require parquet

statement ok
CREATE TABLE t(i INT);

query I rowsort
SELECT i
FROM t;
----
1

statement error
SELECT nothing
----
Binder Error

foreach kind INT BIGINT

query I
SELECT 1::${kind}
----
1

endloop

statement ok
ATTACH 'x.db'

loop n 0 2

loop m 0 2

query I
SELECT ${n} + ${m}
----

endloop

endloop

query I
-- a remark
(WITH a AS (SELECT 1) FROM a)
"""


def test_statements_come_in_their_order_with_loops_played() -> None:
    """Errors that are wanted and what reaches files are left out."""
    asked = ["SELECT i\nFROM t", "SELECT 1::INT", "SELECT 1::BIGINT"]
    asked += ["SELECT 0 + 0", "SELECT 0 + 1", "SELECT 1 + 0", "SELECT 1 + 1"]
    asked += ["-- a remark\n(WITH a AS (SELECT 1) FROM a)"]
    assert records_of(FILE) == [
        Record("CREATE TABLE t(i INT)", asks=False),
        *(Record(sql, asks=True) for sql in asked),
    ]


def test_what_no_variable_fills_is_left_out() -> None:
    """As is a file without statements."""
    assert records_of("query I\nSELECT ${what}\n----\n") == []
    assert records_of("") == []
