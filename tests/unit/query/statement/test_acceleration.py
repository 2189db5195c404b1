"""Accelerated columns answer as the JSON text does, in every place where a property may stand."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.unit.query.statement.gating import pass_events, syntax
from weir.domain.layout import Accelerated, Column, ColumnKind, Exact
from weir.engine.extract import Extractor
from weir.engine.sources import (
    BRANCHES_MAX,
    SessionTable,
    Source,
    merged,
    reads_view,
    tail_rows,
    views,
)
from weir.lake.schema import CANONICAL
from weir.query.request import EVENTS
from weir.query.statement.gate import pass_query
from weir.query.statement.scopes import TableShape

KEYS = ["price", "Price", "a b", "", "x/y", "q~'\"", "ünï", "n", "deep"]
POINTERS = ["/price", "/Price", "/a b", "/", "/x~1y", "/q~0'\"", "/ünï", "/n", "/deep/n"]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.integers(2**53 - 2, 2**53 + 2),
    st.integers(2**63 - 2, 2**64 + 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.1, -0.0, 1.0, 1e300, 5e-324, 9.99]),
    st.sampled_from(["", "pro", "12", "12.50", "007", "nan", "inf", "true", "TRUE", " 1", "1e2"]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5),
)
spelled = st.sampled_from(["1e3", "1.50", "1E-2", "123456789012345678901234567890", "0.1e1", "-0"])


@st.composite
def objects(draw: st.DrawFn) -> str:
    """A JSON object with some of the keys, some twice, numbers spelled in odd ways."""
    members = []
    for key in draw(st.lists(st.sampled_from(KEYS), max_size=6)):
        value = draw(st.one_of(scalars.map(json.dumps), spelled))
        if key == "deep":
            value = draw(st.sampled_from([value, f'{{"n": {value}}}', f'[{{"n": {value}}}]']))
        members.append(f"{json.dumps(key, ensure_ascii=draw(st.booleans()))}: {value}")
    return "{" + ", ".join(members) + "}"


files = st.lists(
    st.tuples(
        st.lists(objects(), min_size=1, max_size=12),
        st.dictionaries(st.sampled_from(POINTERS), st.sampled_from(ColumnKind), max_size=5),
    ),
    min_size=1,
    max_size=3,
)

ENGINE = duckdb.connect(config={"threads": "1"})

QUERIES = [
    "SELECT properties.price, properties.n FROM events",
    "SELECT properties['x/y'], properties[''] AS empty, properties->>'a b' FROM events",
    "SELECT properties.deep.n, properties->'deep'->>'n', properties.deep FROM events",
    "SELECT sum(properties.n), avg(properties.price), max(properties.price) FROM events",
    "SELECT properties.price, count() FROM events GROUP BY 1",
    "SELECT properties.price + 1, count() FROM events GROUP BY properties.price",
    "SELECT properties.Price, properties.price FROM events WHERE properties.price > 3",
    "SELECT * FROM events WHERE properties.price = 'pro' OR properties.n = 2 OR properties.n < 0",
    "SELECT e.*, e.properties.n FROM events AS e WHERE e.properties.price IS NOT NULL",
    "SELECT event FROM events WHERE properties.n = true OR properties.price BETWEEN 1 AND 9.99",
    "SELECT a.properties.n, b.properties.price FROM events a JOIN events b ON a.seq = b.seq",
    "WITH e AS (SELECT *, properties.n AS m FROM events) SELECT m, e.properties.price FROM e",
    (
        "SELECT seq FROM events o WHERE EXISTS (SELECT 1 FROM events i"
        " WHERE i.properties.n = o.properties.n AND i.seq <> o.seq)"
    ),
    (
        "SELECT events.properties.n, row_number() OVER (PARTITION BY properties.price ORDER BY seq)"
        " FROM events QUALIFY seq >= 0"
    ),
    "SELECT properties.n FROM events UNION ALL SELECT properties.price FROM events",
    "SELECT coalesce(properties.price, properties.n, 0) FROM events ORDER BY properties.n, seq",
    "SELECT CASE WHEN properties.n > 1 THEN properties.price ELSE 'x' END FROM events",
    'SELECT count(*), count(DISTINCT properties."q~\'""") FROM events',
    "SELECT properties.ünï FROM events NATURAL JOIN (SELECT DISTINCT event FROM events) x",
    "SELECT events FROM events",
]


@pytest.fixture(scope="module")
def extractor() -> Iterator[Extractor]:
    """One engine that extracts."""
    made = Extractor()
    yield made
    made.close()


def rows_of(properties: list[str], first: int) -> pa.Table:
    """Canonical rows with these properties."""
    count = len(properties)
    filled: dict[str, Any] = {
        "properties": properties,
        "seq": [first + place for place in range(count)],
        "event": [f"e{place % 2}" for place in range(count)],
    }
    columns = []
    for field in CANONICAL:
        plain = "x" if pa.types.is_string(field.type) else 1
        columns.append(pa.array(filled.get(field.name, [plain] * count), field.type))
    return pa.table(columns, schema=CANONICAL)


def answers(sources: list[Source], tail: pa.Table, pointers: set[str], sql: str) -> list[str]:
    """The rows of a query in any order, as text, so that NaN equals itself."""
    passed = pass_events(sql, pointers=pointers)
    connection = ENGINE.cursor()
    connection.register(tail_rows(EVENTS), tail)
    reads = passed.uses[EVENTS].properties
    for statement in views(SessionTable(EVENTS, CANONICAL, sources, tail, reads)):
        connection.execute(statement.replace("CREATE VIEW", "CREATE OR REPLACE TEMP VIEW"))
    found = connection.sql(passed.sql).to_arrow_table()
    connection.close()
    return [str(found.schema), *sorted(map(repr, found.to_pylist()))]


@settings(
    max_examples=15,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes minutes
)
@given(made=files, tail=st.lists(objects(), max_size=4))
def test_columns_and_json_give_the_same_answers(
    made: list[tuple[list[str], dict[str, ColumnKind]]],
    tail: list[str],
    extractor: Extractor,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Whatever the values, whichever columns files have and of whatever kind."""
    root: Path = tmp_path_factory.mktemp("lake")
    with_columns, without = [], []
    for place, (properties, kinds) in enumerate(made):
        rows = rows_of(properties, 100 * place)
        choices = [Accelerated(pointer, kind) for pointer, kind in sorted(kinds.items())]
        names = {choice.name.casefold() for choice in choices}
        if len(names) < len(choices):  # the engine knows no case: the chooser prevents it
            choices = choices[:1]
        columns = []
        if choices:
            extracted = extractor.extract(rows["properties"], choices)
            for choice, values, exact in zip(choices, *extracted, strict=True):
                rows = rows.append_column(choice.name, values)
                columns.append(Column(choice, exact))
        path = str(root / f"{place}.parquet")
        pq.write_table(rows, path)
        with_columns.append(Source((path,), tuple(columns), len(properties)))
        without.append(Source((path,), (), len(properties)))
    pointers = {column.choice.pointer for source in with_columns for column in source.columns}
    tail_rows = rows_of(tail, 1000)
    for sql in QUERIES:
        plain = answers(without, tail_rows, set(), sql)
        assert answers(with_columns, tail_rows, pointers, sql) == plain, sql


@pytest.mark.parametrize("sql", QUERIES[:10])
def test_columns_are_used_where_the_table_is_plain(sql: str) -> None:
    """Or the test above would prove nothing."""
    passed = pass_events(sql, pointers=POINTERS)
    assert passed.uses[EVENTS].properties
    assert reads_view(EVENTS) in passed.sql
    assert passed.sql.count("json_extract_string") == sql.count("properties.deep FROM")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT e.properties.n FROM (SELECT * FROM events) e",
        "WITH events AS (SELECT '{}' AS properties) SELECT properties.n FROM events",
        "SELECT event AS properties FROM events ORDER BY properties.n",
        "SELECT e, properties.n FROM events e",
        "SELECT * EXCLUDE (seq), properties.n FROM events",
        "SELECT properties.n FROM events e(event_id, event)",
        "SELECT properties.n FROM events, range(3) r(x)",
        "SELECT list_transform([properties], properties -> properties->>'n') FROM events",
        "SELECT context.n FROM events",
    ],
)
def test_columns_are_not_used_where_the_meaning_is_not_sure(sql: str) -> None:
    """A name may be another table's, or the place could see that there are more columns."""
    passed = pass_events(sql, pointers=POINTERS)
    assert not [use for use in passed.uses.values() if use.properties]
    assert reads_view(EVENTS) not in passed.sql


def test_each_table_has_columns_of_its_own() -> None:
    """A property is read by a column only where the table that it is of has one."""
    passed = pass_query(
        "SELECT e.*, e.properties.a, e.properties.b, v.properties.a, v.properties.b"
        " FROM events e JOIN visits v USING (user_id)",
        syntax=syntax(),
        tables={
            "events": TableShape(("event", "properties"), frozenset(["/a"])),
            "visits": TableShape(("page", "properties"), frozenset(["/b"])),
        },
        parameters={},
        rows_max=10,
        sql_bytes_max=9999,
    )
    found = {
        name: [(each.name, each.pointer) for each in use.properties]
        for name, use in passed.uses.items()
    }
    assert found == {"events": [("weir_0", "/a")], "visits": [("weir_0", "/b")]}
    for text in (
        'e."event", e.properties, e.weir_0 AS a',
        "json_extract_string(e.properties, '/b') AS b",
        "json_extract_string(v.properties, '/a') AS a, v.weir_0 AS b",
        'FROM ("events:reads" AS e INNER JOIN "visits:reads" AS v USING (user_id))',
    ):
        assert text in passed.sql


def test_table_without_columns_is_read_as_it_is() -> None:
    """Beside an accelerated one, its star and its properties stay."""
    passed = pass_query(
        "SELECT v.*, e.properties.a FROM events e, visits v WHERE v.properties.a = 'x'",
        syntax=syntax(),
        tables={
            "events": TableShape(("event", "properties"), frozenset(["/a"])),
            "visits": TableShape(("page", "properties")),
        },
        parameters={},
        rows_max=10,
        sql_bytes_max=9999,
    )
    assert 'SELECT v.*, e.weir_0 AS a FROM "events:reads" AS e , visits AS v' in passed.sql
    assert passed.uses["visits"].properties == ()


def test_many_layouts_become_few_branches() -> None:
    """The layouts of the fewest rows are read as JSON, and no file is left out."""
    column = Column(Accelerated("/n", ColumnKind.TEXT), Exact.TEXT)
    sources = [Source((f"{place}",), (column,), place) for place in range(BRANCHES_MAX + 5)]
    found = merged(sources)
    assert sorted(path for each in found for path in each.files) == sorted(
        path for each in sources for path in each.files
    )
    assert [bool(each.columns) for each in found] == [False] * 5 + [True] * BRANCHES_MAX
    assert min(each.row_count for each in found if each.columns) == 5
