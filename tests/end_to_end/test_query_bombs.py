"""Queries that want all the memory or all the time: refused or killed, with the node alive."""

from collections.abc import Iterator

import pytest

from tests.end_to_end.running_node import Node, wait_until

DEADLINE_S = 2.0

BOMBS = [
    "SELECT len(range(3000000000)) FROM events",
    "SELECT len(repeat('a', 4000000000)) FROM events",
    "SELECT count() FROM range(100000000) a, range(100000000) b",
    "SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b, range(1000) c",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t",
    "SELECT list(a.range) FROM range(2000000000) a",
    "SELECT " + "(" * 5000 + "1" + ")" * 5000,
    "SELECT string_agg(repeat('x', 1000000), ',') FROM range(1000000)",
    f"SELECT '{'x' * 7000}' || repeat('y', 1000000) FROM range(100000)",
    "SELECT reservoir_quantile(seq, 0.5, 1000000000) FROM events",
    "SELECT repeat('x', 1000000)::BLOB, repeat('1', 1000000)::BIT FROM range(2000)",
    "SELECT list({'a': [range], 't': now()}) FROM range(50 * 1000000)",
    "SELECT map_from_entries(list((range, now()))) FROM range(50 * 1000000)",
    "SELECT list_transform(range(100000), x -> range(x))",
]


@pytest.fixture(scope="module")
def bombed_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with a short deadline and little memory for queries."""
    node = Node(
        tmp_path_factory.mktemp("bombs") / "node",
        {"WEIR_QUERY_TIMEOUT_S": str(DEADLINE_S), "WEIR_QUERY_MEMORY_BYTES": "256MiB"},
    )
    node.start()
    assert node.send("/v1/ingest", {"event": "first"}).status_code == 202
    yield node
    if node.process is not None and node.process.poll() is None:
        node.kill_all()


@pytest.mark.parametrize("sql", BOMBS, ids=range(len(BOMBS)))
def test_a_bomb_ends_within_its_limits(bombed_node: Node, sql: str) -> None:
    """4xx, or 504 at the deadline of what never ends; the next query and event are served."""
    answer = bombed_node.ask(sql)
    assert answer.status_code in {400, 403, 422, 504}, answer.text
    # On a busy machine the short deadline may be over before a query has begun.
    wait_until(lambda: bombed_node.ask("SELECT 1").status_code == 200, within_s=20, what="a query")
    assert bombed_node.send("/v1/ingest", {"event": "alive"}).status_code == 202
