"""A query needs nothing that is not loaded yet: its worker cannot read files any more."""

import subprocess
import sys

STATEMENTS = (
    "SELECT properties['plan'], properties.plan, properties->'a'->>'b' FROM events",
    "SELECT [1, 2, 3][1], {'a': 1}['a'], event[1:2], MAP {'a': 1}['a'] FROM events",
    "SELECT list_transform([1, 2], x -> x + 1), [x FOR x IN [1, 2] IF x > 1]",
    "SELECT DISTINCT ON (event) event FROM events ORDER BY ALL LIMIT 5 OFFSET 2",
    "WITH a AS (SELECT 1 AS x) SELECT x FROM a UNION ALL SELECT 2 EXCEPT SELECT 3",
    "SELECT * EXCLUDE (ts) REPLACE (1 AS seq) FROM events TABLESAMPLE 10%",
    "SELECT count() FILTER (WHERE event = 'a') OVER (PARTITION BY user_id ORDER BY ts) FROM events",
    "SELECT ts AT TIME ZONE 'UTC', ts::DATE, extract(year FROM ts), INTERVAL 3 DAYS FROM events",
    "SELECT event FROM events QUALIFY row_number() OVER () = 1",
    "SELECT event, count() FROM events GROUP BY GROUPING SETS ((event), ())",
    "SELECT 1 FROM events e ASOF JOIN events f ON e.ts >= f.ts",
    "SELECT CASE WHEN ts > now() THEN 1 END, 1 IN (1, 2), 1 BETWEEN 0 AND 2 FROM events",
    "SELECT EXISTS (SELECT 1), CAST(1 AS DECIMAL(10, 2)), unnest([1, 2])",
    "SELECT event FROM events WHERE ts > '2026-01-01' AND received_at < now() - INTERVAL 1 DAY",
)

BOUND = "SELECT event FROM events WHERE event_id = $name AND seq > $count"
"""With parameters, as only Weir's own statements have them."""

SCRIPT = """
import sys
from weir.engine.session import Engine
from weir.lake.schema import CANONICAL
from weir.query.statement.gate import pass_query
from weir.query.statement.scopes import TableShape
from weir.query.worker import warm_up
session = Engine.open(memory_bytes=2**28).session()
warm_up(session)
before = set(sys.modules)
for sql in ({bound!r}, *{statements!r}):
    pass_query(
        sql,
        syntax=session.syntax,
        tables={{"events": TableShape(tuple(CANONICAL.names), frozenset(["/plan"]))}},
        parameters={{"name": "a", "count": -1}},
        rows_max=10,
        sql_bytes_max=10_000,
    )
print(*sorted(set(sys.modules) - before))
"""


def test_no_statement_loads_a_module() -> None:
    """Whatever a statement is made of, its tree is built from what the fork server has loaded."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(statements=STATEMENTS, bound=BOUND)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == []
