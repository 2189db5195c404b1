"""Queries that need more memory than a worker has: told as that, whoever runs out of it."""

from collections.abc import Iterator

import pytest

from tests.unit.query.rig import Node, rows
from weir.errors import Unprocessable
from weir.query.request import Format
from weir.settings import MIB, Settings

MEMORY_BYTES = 192 * MIB
MANY = "range(50 * 1000000)"


@pytest.fixture(scope="module")
def small_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node whose workers have little memory, and all the time that a busy machine needs."""
    settings = Settings(
        query_workers=1, query_spares=1, query_memory_bytes=MEMORY_BYTES, query_timeout_s=300
    )
    made = Node(tmp_path_factory.mktemp("small"), settings)
    yield made
    made.close()


BOMBS = {
    "wide rows": f"SELECT '{'x' * 60_000}' || repeat('y', 1000000) FROM range(100000)",
    "a reservoir": "SELECT reservoir_quantile(seq, 0.5, 1000000000) FROM events",
    "rows of texts on their way out": "SELECT repeat('x', 1000000) FROM range(150)",
    "blobs": "SELECT repeat('a', 1000000)::BLOB FROM range(2000)",
    "bits": "SELECT repeat('1', 1000000)::BIT FROM range(2000)",
    "one text": "SELECT string_agg(repeat('x', 1000000), ',') FROM range(1000)",
    "a text beyond any size": "SELECT repeat(repeat('x', 1000000), 1000000)",
    "one list": f"SELECT list(range) FROM {MANY}",
    "one list of structs": f"SELECT list({{'a': range, 't': to_seconds(range)}}) FROM {MANY}",
    "one map": f"SELECT map_from_entries(list((range, range))) FROM {MANY}",
    "groups": f"SELECT range, list(range) FROM {MANY} GROUP BY 1",
    "an order": "SELECT list(repeat('x', 1000) ORDER BY hash(range)) FROM range(1000000)",
    "a window": "SELECT lag(repeat('x', 1000000)) OVER (ORDER BY x) FROM range(2000) t(x)",
    "json": f"SELECT json_group_array(range) FROM {MANY}",
    "nested lists": "SELECT list_transform(range(100000), x -> range(x))",
    "a format": "SELECT format('{:1000000}', 1) FROM range(10000)",
}


@pytest.mark.parametrize("name", BOMBS)
def test_exhausted_memory_is_the_query_s(small_node: Node, name: str) -> None:
    """In the engine, between it and Arrow, or in an allocator: 422 with what to do, never 500."""
    with pytest.raises(Unprocessable) as caught:
        small_node.ask(BOMBS[name], tail=rows([{}]), row_limit=50_000)
    assert caught.value.code == "query_memory_exceeded"
    assert caught.value.hint
    assert small_node.answer("SELECT 1")["rows"] == [[1]]


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("value", ["range::TEXT", "{'a': [range]}"])
def test_a_cell_that_the_engine_can_make_and_no_format_can_write(
    small_node: Node, form: Format, value: str
) -> None:
    """Whatever the format makes of a list: an answer, or the same words."""
    told = {"query_memory_exceeded"}
    for count in (200, 2000):
        sql = f"SELECT list({value}) FROM range({count} * 1000)"
        try:
            assert small_node.ask(sql, format=form)
        except Unprocessable as error:
            told.add(error.code)
    assert told == {"query_memory_exceeded"}
    assert small_node.answer("SELECT 1")["rows"] == [[1]]
