"""Statements from the field that once gave something else, through a live node."""

import pytest

from tests.end_to_end.running_node import Node

EVENTS = [
    {
        "event": "order",
        "user_id": "o",
        "properties": {"items": [{"sku": "a"}, {"sku": "b"}], "k": "v"},
        "context": {"page": {"path": "/P"}},
    },
    {"event": "buy", "user_id": "a", "properties": {"id": 9007199254740992}},
    {"event": "buy", "user_id": "b", "properties": {"id": 9007199254740993}},
    {
        "event": "game",
        "user_id": "a",
        "properties": {"score": 9, "goal": 10, "name": "nine", "flag": True},
    },
    {
        "event": "game",
        "user_id": "b",
        "properties": {"score": 100, "goal": 20, "name": "hundred", "flag": "maybe"},
    },
    {"event": "s", "user_id": "a", "properties": {"score": 9, "word": "x"}},
    {"event": "s", "user_id": "b", "properties": {"score": 100, "word": "9"}},
    *(
        {"event": "s", "user_id": "c", "properties": {"score": text}}
        for text in ("NaN", "nan", "inf", "Infinity", "-inf", "1_000", "")
    ),
    {"event": "page", "user_id": "d", "properties": {"source": "ad"}},
    {"event": "signup", "user_id": "d", "properties": {}},
    {"event": "purchase", "user_id": "d", "properties": {"source": None}},
    *({"event": "login", "user_id": str(number), "properties": {}} for number in (9, 10, 11)),
]
"""One after the other, so that ``seq`` is their order."""


@pytest.fixture(scope="module")
def asked(shared_node: Node) -> Node:
    """A node with these events."""
    node = shared_node.with_new_project()
    for event in EVENTS:
        assert node.send("/v1/ingest", event).status_code == 202
    return node


def ordered(node: Node, sql: str) -> object:
    """The rows of a statement, of one column as values."""
    rows = node.query(sql)
    return [row[0] for row in rows] if rows and len(rows[0]) == 1 else rows


ORDER = "FROM events WHERE event = 'order'"
GAME = "FROM events WHERE event = 'game'"
S = "FROM events WHERE event = 's'"

CASES: dict[str, object] = {
    # The arrow as a function's argument
    f"SELECT json_array_length(properties->'items') {ORDER}": [2],
    f"SELECT lower(context->'page'->>'path') {ORDER}": ["/p"],
    f"SELECT count(properties->'items'), coalesce(context->'page'->>'path', '-') {ORDER}"
    " GROUP BY 2": [[1, "/P"]],
    f"WITH t AS (SELECT properties->'items' AS j {ORDER})"
    " SELECT json_array_length(j), json_extract_string(j->0, '$.sku') FROM t": [[2, "a"]],
    f"SELECT any_value(properties->'items'->1->>'sku') {ORDER}": ["b"],
    f"SELECT md5(properties->'k'->>0) {ORDER}": [None],
    f"SELECT if(true, properties->'k', NULL) {ORDER}": ["v"],
    f"SELECT concat(properties->>'k', '!', context->'page'->>'path') {ORDER}": ["v!/P"],
    f"SELECT unnest(from_json(properties->'items', '[\"JSON\"]'))->>'sku' {ORDER}": ["a", "b"],
    f"SELECT json_type(properties->'items'), length(properties->>'k') {ORDER}": [["ARRAY", 1]],
    f"SELECT regexp_extract(context->'page'->>'path', '[A-Z]') {ORDER}": ["P"],
    f"SELECT lag(properties->>'k') OVER (), any_value(properties->'k') OVER () {ORDER}": [
        [None, "v"]
    ],
    f"SELECT CAST(properties->'items'->0->>'sku' AS TEXT) {ORDER}"
    " AND properties->'items'->0->>'sku' = 'a' AND properties->>'k' = 'v'": ["a"],
    "SELECT count(*) FILTER (WHERE properties->'items'->1->>'sku' = 'b') FROM events": [1],
    "SELECT list_transform([1, 2], x -> x + 1), list_transform([1], lambda x: x + 1),"
    " list_filter([1, 2, 3], x -> x > 1), list_reduce([1, 2, 3], (a, b) -> a + b)": [
        [[2, 3], [2], [2, 3], 6]
    ],
    "SELECT list_transform([1, 2], x -> 'k'), list_transform(['{\"a\": 1}'::JSON], x -> x->>'a')": [
        [["k", "k"], ["1"]]
    ],
    # DISTINCT with a second argument
    "SELECT string_agg(DISTINCT event, ',' ORDER BY event) FROM events WHERE user_id = 'd'": [
        "page,purchase,signup"
    ],
    "SELECT length(string_agg(DISTINCT event, ',')) FROM events WHERE user_id = 'd'": [20],
    "SELECT length(listagg(DISTINCT event, '-')) FROM events WHERE user_id = 'd'": [20],
    "SELECT string_agg(DISTINCT event, ', ' ORDER BY event) FILTER (WHERE event <> 'page')"
    " FROM events WHERE user_id = 'd'": ["purchase, signup"],
    "SELECT DISTINCT string_agg(DISTINCT event, ',') OVER () FROM events WHERE event = 's'": ["s"],
    "SELECT quantile_cont(DISTINCT x, 0.5), arg_max(DISTINCT x, x)"
    " FROM (VALUES (1), (1), (3)) t(x)": [[2, 3]],
    # Interval literals
    "SELECT INTERVAL '1 day 02:03:04', INTERVAL '3 days ago'": [["P1DT7384S", "P-3D"]],
    "SELECT typeof(INTERVAL '1 day' + '2026-01-01'::DATE),"
    " (INTERVAL '1 day' + '2026-01-01'::DATE)::TEXT": [["TIMESTAMP", "2026-01-02 00:00:00"]],
    "SELECT INTERVAL '90msecs', INTERVAL '2 mons', INTERVAL 3 DAY, INTERVAL '1h30m'": [
        ["PT0.09S", "P2M", "P3D", "PT5400S"]
    ],
    "SELECT count(*) > 0 FROM events WHERE ts > now() + INTERVAL '6 days ago'": [True],
    # Numbers beyond 2^53
    "SELECT user_id FROM events WHERE properties.id = 9007199254740993": ["b"],
    "SELECT user_id FROM events WHERE properties.id IN (1, 9007199254740993)": ["b"],
    "SELECT user_id FROM events WHERE properties.id BETWEEN 9007199254740993 AND"
    " 9007199254740999": ["b"],
    "SELECT user_id FROM events WHERE properties.id <> 9007199254740993": ["a"],
    "SELECT user_id FROM events WHERE properties.id > 9007199254740992": ["b"],
    "SELECT user_id FROM events WHERE properties.id >= 9007199254740993": ["b"],
    "SELECT user_id FROM events WHERE 9007199254740993 > properties.id": ["a"],
    "SELECT user_id FROM events WHERE properties.id = 9007199254740993::BIGINT": ["b"],
    "SELECT user_id FROM events WHERE CASE properties.id WHEN 9007199254740993 THEN true END": [
        "b"
    ],
    "SELECT user_id FROM events WHERE event = 'buy' ORDER BY properties.id DESC": ["b", "a"],
    "SELECT (properties.id)::HUGEINT % 10 FROM events WHERE event = 'buy' ORDER BY 1": [2, 3],
    # IGNORE NULLS
    "SELECT last_value(properties.source IGNORE NULLS) OVER (ORDER BY seq) FROM events"
    " WHERE user_id = 'd'": ["ad", "ad", "ad"],
    "SELECT lag(properties.source IGNORE NULLS) OVER (ORDER BY seq),"
    " first_value(properties.source RESPECT NULLS) OVER (ORDER BY seq) FROM events"
    " WHERE user_id = 'd'": [[None, "ad"], ["ad", "ad"], ["ad", "ad"]],
    "SELECT [1] && [1, 2], [1, 2] @> [1], [1] <@ [1, 2], 'abc' ^@ 'a', 'abc' ~* 'B', 4!": [
        [True, True, True, True, True, 24]
    ],
    "SELECT E'a\\n', x'41'::BLOB, JSON '{\"a\": 1}', array(SELECT 1),"
    " overlay('abc' PLACING 'x' FROM 1)": [["a\n", "QQ==", {"a": 1}, [1], "xbc"]],
    "VALUES (1), (2)": [1, 2],
    "SELECT seq > 0 FROM events ORDER BY seq FETCH FIRST 1 ROWS ONLY": [True],
    "SELECT 'b' COLLATE nocase = 'B', 2 + 3 ** ~1": [[True, 0.04]],
    # Numbers as letters
    f"SELECT user_id {GAME} AND properties.score > properties.goal": ["b"],
    f"SELECT user_id {GAME} AND properties.score BETWEEN properties.goal AND properties.score": [
        "b"
    ],
    f"SELECT arg_max(properties.name, properties.score) {GAME}": ["hundred"],
    f"SELECT max_by(properties.name, properties.score), min_by(user_id, properties.score) {GAME}": [
        ["hundred", "a"]
    ],
    f"SELECT user_id {GAME} ORDER BY properties.score DESC LIMIT 1": ["b"],
    f"SELECT user_id, properties.score AS s {GAME} ORDER BY s DESC": [["b", "100"], ["a", "9"]],
    f"SELECT properties.score, user_id {GAME} ORDER BY 1": [["9", "a"], ["100", "b"]],
    f"SELECT properties.score, count(*) {GAME} GROUP BY ALL ORDER BY ALL": [["9", 1], ["100", 1]],
    f"SELECT properties.score, count(*) {GAME} GROUP BY score ORDER BY score DESC": [
        ["100", 1],
        ["9", 1],
    ],
    f"SELECT DISTINCT properties.score {GAME} ORDER BY properties.score": ["9", "100"],
    # What gives a property as it is goes by number too: written out, by name, by place, grouped
    f"SELECT user_id {GAME} ORDER BY coalesce(properties.missing, properties.score)": ["a", "b"],
    f"SELECT coalesce(properties.missing, properties.score) AS k {GAME} ORDER BY k": ["9", "100"],
    f"SELECT nullif(properties.score, 'x') {GAME} ORDER BY 1 DESC": ["100", "9"],
    f"SELECT coalesce(properties.score, '-') AS k, count(*) {GAME} GROUP BY k ORDER BY k": [
        ["9", 1],
        ["100", 1],
    ],
    f"SELECT coalesce(properties.score, '-'), count(*) {GAME} GROUP BY ALL ORDER BY ALL": [
        ["9", 1],
        ["100", 1],
    ],
    f"SELECT max(user_id) {GAME} GROUP BY coalesce(properties.score, properties.goal)"
    " ORDER BY coalesce(properties.score, properties.goal)": ["a", "b"],
    f"SELECT coalesce(properties->'none'->>'x', properties->>'score') AS k {GAME}"
    " GROUP BY coalesce(properties->'none'->>'x', properties->>'score') ORDER BY 1": ["9", "100"],
    f"SELECT DISTINCT coalesce(properties.score, properties.goal) AS k {GAME} ORDER BY k": [
        "9",
        "100",
    ],
    f"SELECT user_id {GAME} ORDER BY greatest(properties.score, properties.goal)": ["a", "b"],
    f"SELECT user_id, row_number() OVER (ORDER BY properties.score DESC) {GAME} ORDER BY 2": [
        ["b", 1],
        ["a", 2],
    ],
    f"SELECT greatest(properties.score, properties.goal), least(properties.score, properties.goal)"
    f" {GAME} ORDER BY seq": [["10", "9"], ["100", "20"]],
    f"SELECT array_agg(user_id ORDER BY properties.score) {GAME}": [["a", "b"]],
    # Texts that are called NaN
    f"SELECT sum(properties.score), avg(properties.score), max(properties.score) {S}": [
        [109, 54.5, 100]
    ],
    f"SELECT count() {S} AND properties.score > 1000": [0],
    f"SELECT properties.score {S} ORDER BY properties.score": [
        *("9", "100", "", "-inf", "1_000", "Infinity", "NaN", "inf", "nan")
    ],
    # Where a property is to be read as a number
    f"SELECT sum(if(user_id = 'a', properties.score, 0)) {GAME}": [9],
    f"SELECT properties.score - lag(properties.score) OVER (ORDER BY seq) {GAME} ORDER BY seq": [
        None,
        91,
    ],
    f"SELECT user_id {GAME} QUALIFY lag(properties.score) OVER (ORDER BY seq) > 5": ["b"],
    f"SELECT first(properties.score ORDER BY seq) + 1, any_value(properties.goal) * 0 {GAME}": [
        [10, 0]
    ],
    f"SELECT arg_max(properties.score, seq) + 1 {GAME}": [101],
    f"SELECT corr(properties.score, properties.goal), regr_count(properties.score, properties.goal)"
    f" {GAME}": [[1, 2]],
    f"SELECT to_timestamp(properties.score), epoch_ms(properties.score) {GAME}"
    " ORDER BY seq LIMIT 1": [["1970-01-01T00:00:09Z", "1970-01-01T00:00:00.009"]],
    f"SELECT count_if(properties.flag), bool_or(properties.flag) {GAME}": [[1, True]],
    f"SELECT user_id {GAME} AND properties.flag": ["a"],
    f"SELECT user_id {GAME} AND NOT properties.flag": [],
    f"SELECT sum(nullif(properties.score, '')) {S}": [109],
    # A cast in SELECT, and what ORDER BY and DISTINCT ON mean
    "SELECT event FROM (SELECT ts::DATE, event FROM events ORDER BY ts DESC, seq DESC LIMIT 2)": [
        "login",
        "login",
    ],
    "SELECT user_id::INT FROM events WHERE event = 'login' ORDER BY user_id": [10, 11, 9],
    "SELECT user_key::TEXT = user_key FROM events WHERE event = 'login' ORDER BY user_key": [True]
    * 3,
    "SELECT count(*) FROM (SELECT DISTINCT ON (seq) ts::DATE, seq // 1000000 AS q FROM events"
    " WHERE event = 'login')": [3],
    # A comparison within a comparison
    "SELECT user_id FROM events WHERE properties.id = (CASE WHEN properties.id > properties.goal"
    " THEN 9007199254740993 ELSE 9007199254740993 END)": ["b"],
    f"SELECT user_id {GAME} AND properties.score > (CASE WHEN properties.goal > properties.name"
    " THEN properties.name ELSE properties.goal END)": ["b"],
    # What is written twice is one thing
    "SELECT (properties.id > 9007199254740992) AS big, count(*) FROM events WHERE event = 'buy'"
    " GROUP BY (properties.id > 9007199254740992) ORDER BY big": [[False, 1], [True, 1]],
    f"SELECT (properties.score > properties.goal) AS won, count(*) {GAME}"
    " GROUP BY (properties.score > properties.goal) ORDER BY won": [[False, 1], [True, 1]],
    "SELECT 1 AS a UNION ALL BY NAME SELECT 2 AS b ORDER BY ALL": [[1, None], [None, 2]],
    "SELECT ARRAY[], [1, 2]::INT[2], [], {'a': properties.properties['n']} FROM events LIMIT 1": [
        [[], [1, 2], [], {"a": None}]
    ],
    # Nothing is read as a number that is no property
    "SELECT max(CASE WHEN user_id = 'a' THEN 'yes' ELSE 'no' END), max(coalesce(event, ''))"
    f" {GAME}": [["yes", "game"]],
    "SELECT max(coalesce(ts::DATE, '2020-01-01')) > '2020-01-01' FROM events": [True],
    f"SELECT sum(properties->'score'), count(*) FILTER (WHERE properties->'flag') {GAME}": [
        [109, 1]
    ],
    # Order by number wherever the values are properties
    f"SELECT user_id {GAME} QUALIFY properties.score > lag(properties.score) OVER (ORDER BY seq)": [
        "b"
    ],
    f"SELECT user_id {GAME} ORDER BY greatest(properties.score, properties.goal) DESC": ["b", "a"],
    f"SELECT user_id {GAME} ORDER BY coalesce(properties.score, 'none') DESC": ["b", "a"],
    # Names that were given go before names that are made
    "SELECT -seq // seq AS lower, lower(user_id) FROM events WHERE event = 'login'"
    " ORDER BY lower, user_id LIMIT 1": [[-1, "10"]],
    f"SELECT seq > 0 AS n, properties.score AS n {GAME} ORDER BY n, seq": [
        [True, "9"],
        [True, "100"],
    ],
    "SELECT count(*) FROM (VALUES ('zz')) o(lower), LATERAL (SELECT lower(x) FROM"
    " (VALUES ('A'), ('B')) t(x) WHERE lower = 'zz') l": [2],
    "SELECT user_id FROM events WHERE properties.id = 9007199254740992 + 1": ["b"],
    "SELECT properties.score, json_group_array(user_id) FROM events WHERE event = 'game'"
    " GROUP BY ALL ORDER BY properties.score": [["9", ["a"]], ["100", ["b"]]],
    "SELECT\u00a0properties->>'k',\u2003'\u00a0' FROM events WHERE event = 'order'": [
        ["v", "\u00a0"]
    ],
    # A name that the engine has
    "SELECT user, count(*) FROM (SELECT user_id AS user FROM events WHERE event = 'login')"
    " GROUP BY ALL ORDER BY ALL": [["10", 1], ["11", 1], ["9", 1]],
}


@pytest.mark.parametrize("sql", CASES)
def test_statement_means_what_was_written(sql: str, asked: Node) -> None:
    """Its rows are those that a reader of the statement expects."""
    assert ordered(asked, sql) == CASES[sql]


@pytest.mark.parametrize(
    ("sql", "name", "hint"),
    [
        ("SELECT user FROM events", "user", "Did you mean 'user_id'?"),
        ("SELECT current_user", "current_user", "Did you mean 'user_id'?"),
        ("SELECT current_role", "current_role", None),
        ("SELECT count(*) FROM events WHERE current_schema = 'x'", "current_schema", None),
    ],
)
def test_name_of_the_session_is_an_unknown_column(
    sql: str, name: str, hint: str | None, asked: Node
) -> None:
    """Not the engine's answer about itself."""
    answer = asked.ask(sql)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_query")
    assert f"'{name}'" in answer.json()["message"]
    assert hint is None or hint in answer.text


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT INTERVAL '.5 day'",
        "SELECT INTERVAL '1,000 days'",
        "SELECT INTERVAL '- 3 days'",
        "SELECT INTERVAL '2 hours 30'",
        "SELECT INTERVAL 'P1D'",
    ],
)
def test_interval_that_the_engine_cannot_read_is_a_mistake(sql: str, asked: Node) -> None:
    """Never another interval."""
    answer = asked.ask(sql)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_query")


def test_answer_says_where_numbers_were_compared_as_texts(asked: Node) -> None:
    """Two properties are equal as texts; nothing is said where there is nothing to say."""
    told = asked.ask("SELECT count(*) FROM events WHERE properties.score = properties.goal").json()
    assert told["meta"]["notes"] == [
        (
            "properties.score and properties.goal were compared as texts: 1 and 1.0 differ."
            " To compare numbers, cast both: (…)::DOUBLE."
        )
    ]
    assert "notes" not in asked.ask("SELECT count(*) FROM events").json()["meta"]


@pytest.mark.parametrize(
    ("sql", "advice"),
    [
        ("SELECT date_trunc('day', properties.score) FROM events", "TRY_CAST(x AS TIMESTAMPTZ)"),
        ("WITH t AS (SELECT properties.score AS s FROM events) SELECT sum(s) FROM t", "AS DOUBLE"),
    ],
)
def test_advice_of_a_mistake_fits_what_is_wanted(sql: str, advice: str, asked: Node) -> None:
    """A time where a time is wanted, a number where a number is."""
    answer = asked.ask(sql)
    assert (answer.status_code, advice in answer.json()["message"]) == (400, True), answer.text


@pytest.mark.parametrize("form", ["json", "ndjson", "csv", "arrow", "parquet"])
def test_tuple_of_nothing_is_written_in_every_format(form: str, asked: Node) -> None:
    """Alone and in a list."""
    answer = asked.ask("SELECT row() AS a, [row()] AS b, {'c': row()} AS d", format=form)
    assert answer.status_code == 200, answer.text


def test_names_of_columns_are_those_of_what_was_written(asked: Node) -> None:
    """Also where the statement could not carry them: ``ts`` would catch the ORDER BY."""
    told = asked.ask("SELECT ts::DATE, properties.score FROM events ORDER BY ts").json()
    assert [
        column["name"] if isinstance(column, dict) else column for column in told["columns"]
    ] == [
        "ts",
        "score",
    ]
