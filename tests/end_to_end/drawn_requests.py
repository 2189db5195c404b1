"""Requests of every dialect that must be taken, and the rows that SQL must show for them."""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from itertools import count
from typing import NamedTuple

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as with_seed
from hypothesis import strategies as st

COLUMNS = ("event", "event_id", "user_id", "anonymous_id", "session_id", "client_ts")
"""Columns of a row that are compared, beside ``properties`` and ``context``."""

PUBLIC_KEY = "PUBLIC-KEY"
ENDPOINT = "ENDPOINT-ID"
"""What whoever sends a request has to put its own for."""

Object = dict[str, object]


class Row(NamedTuple):
    """What SQL must show of one event: columns that are there, and the texts of its objects."""

    columns: Mapping[str, object]
    properties: Mapping[str, object]
    context: Mapping[str, object]


class Drawn(NamedTuple):
    """A request and its events, in their order."""

    path: str
    content_type: str
    body: bytes
    rows: list[Row]
    has_key: bool = True
    """In a header, where it is not in the body or path already."""


def exactly(text: str) -> object:
    """A JSON text's value, its numbers as they are written."""
    return json.loads(text, parse_float=str, parse_int=str)


_characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
_names = st.text(_characters, min_size=1, max_size=40)
_texts = st.text(_characters, max_size=20) | st.sampled_from(["null", "1e5", '"\\/\b', "🎬\u202e"])
_ids = st.text(_characters, min_size=1, max_size=60)
_scalars: st.SearchStrategy[object] = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63, -(2**64), 10**40])
    | st.floats(allow_nan=False, allow_infinity=False)
    | _texts
)
_values: st.SearchStrategy[object] = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)
_objects: st.SearchStrategy[Object] = st.dictionaries(_texts, _values, max_size=5)
_unknown: st.SearchStrategy[Object] = st.dictionaries(
    st.sampled_from(["x", "plan_", "ünknown", "a.b", ""]), _values
)
_zones = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])
_times = st.datetimes(datetime(2024, 2, 28), datetime(2024, 3, 1, 23), timezones=_zones)  # noqa: DTZ001  # the zone is drawn
_numbers = count()


def _event_ids() -> st.SearchStrategy[str]:
    """Ids that were never there before: a known one is a duplicate."""
    return st.builds(lambda text: f"{text}-{next(_numbers)}", _ids)


def _folded(own: Mapping[str, object], further: Mapping[str, object]) -> Object:
    """Where unknown fields go: among the properties, or around them when a name is taken."""
    if own.keys() & further.keys():
        return {**further, "properties": own}
    return {**own, **further}


class _Fields(NamedTuple):
    """The fields of a dialect: of each column, which are needed, and what else it knows."""

    columns: Mapping[str, str]
    needed: frozenset[str]
    further: st.SearchStrategy[Object]
    has_properties: bool = True
    has_context: bool = True


_STRATEGIES: Mapping[str, Callable[[], st.SearchStrategy[object]]] = {
    "event": lambda: _names,
    "event_id": _event_ids,
    "user_id": lambda: _ids,
    "anonymous_id": lambda: _ids,
    "session_id": lambda: _ids,
    "client_ts": lambda: _times,
}
_SAME = {name: name for name in COLUMNS[:-1]}
_NATIVE = _Fields({**_SAME, "client_ts": "ts"}, frozenset({"event"}), _unknown)
_NOVAMESH = _Fields(
    {"event": "event", "event_id": "event_id", "user_id": "user_id", "client_ts": "timestamp"},
    frozenset({"event"}),
    _unknown,
)
_REALANALYTICS = _Fields(
    {
        "event": "event",
        "event_id": "event_id",
        "user_id": "distinctId",
        "session_id": "sessionId",
        "client_ts": "timestamp",
    },
    frozenset({"event", "user_id", "session_id", "client_ts"}),
    _unknown,
    has_context=False,
)
_CLICKSTREAM = _Fields(
    {
        "event": "event_name",
        "event_id": "event_id",
        "user_id": "user_id",
        "session_id": "session_id",
        "client_ts": "event_time",
    },
    frozenset({"event", "event_id", "user_id", "session_id", "client_ts"}),
    st.fixed_dictionaries(
        {"event_type": _names, "page_name": _names},
        optional={
            "element_id": _texts,
            "platform": st.sampled_from(["ios", "android", "web"]),
            "content": _objects,
            "commerce": _objects,
            "experiments": _objects | st.lists(_texts, max_size=3),
            "x": _values,
        },
    ),
    has_properties=False,
    has_context=False,
)
_TAPEMETRIC = _Fields(
    {**_SAME, "event": "event_type", "client_ts": "ts"},
    frozenset({"event", "anonymous_id", "session_id", "client_ts"}),
    st.fixed_dictionaries(
        {},
        optional={
            "content_title": _texts,
            "plan": st.sampled_from(["svod", "avod", "tvod", "free"]),
            "season": st.integers(),
            "revenue_inr": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
            "x": _values.filter(lambda value: value is not None),
        },
    ),
)
_EDGEMQ = _Fields(
    {"event": "event", "event_id": "event_id", "user_id": "user_id", "client_ts": "timestamp"},
    frozenset(),
    _unknown,
    has_properties=False,
    has_context=False,
)


@st.composite
def _events(draw: st.DrawFn, fields: _Fields) -> tuple[Object, Row]:
    """An event as it is sent, and its row."""
    sent: Object = {}
    columns: Object = dict.fromkeys(COLUMNS)
    for column, name in fields.columns.items():
        if column in fields.needed or draw(st.booleans()):
            value = draw(_STRATEGIES[column]())
            columns[column] = value
            sent[name] = value.isoformat() if isinstance(value, datetime) else value
    further = draw(fields.further)
    sent |= further
    own: Object = draw(_objects) if fields.has_properties else {}
    context: Object = draw(_objects) if fields.has_context else {}
    if fields.has_properties:
        sent["properties"] = own
    if context:
        sent["context"] = context
    return sent, Row(columns, _folded(own, further), context)


@st.composite
def _batches(draw: st.DrawFn, fields: _Fields) -> tuple[list[Object], list[Row]]:
    drawn = draw(st.lists(_events(fields), min_size=1, max_size=4))
    return [sent for sent, _ in drawn], [row for _, row in drawn]


@st.composite
def _native(draw: st.DrawFn) -> Drawn:
    sent, rows = draw(_batches(_NATIVE))
    shape = draw(st.sampled_from(["array", "envelope", "lines"]))
    if shape == "array":
        return _request("/v1/events", sent if len(sent) > 1 else sent[0], rows)
    if shape == "lines":
        body = "\n".join(map(json.dumps, sent)).encode()
        return Drawn("/v1/events", "application/x-ndjson", body, rows)
    shared = draw(_objects)
    return _request("/v1/events", {"events": sent, "context": shared}, _over(shared, rows))


@st.composite
def _novamesh(draw: st.DrawFn) -> Drawn:
    sent, rows = draw(_batches(_NOVAMESH))
    if len(sent) == 1:
        return _request("/v1/ingest", sent[0], rows)
    shared = draw(_objects)
    return _request("/v1/batch", {"events": sent, "context": shared}, _over(shared, rows))


@st.composite
def _realanalytics(draw: st.DrawFn) -> Drawn:
    sent, rows = draw(_batches(_REALANALYTICS))
    shape = draw(st.sampled_from(["array", "envelope", "keyless"]))
    if shape == "array":
        return _request("/", sent if len(sent) > 1 else sent[0], rows)
    if shape == "envelope":
        return _request("/", {"events": sent}, rows)
    keyless = _request("/", {"apiKey": PUBLIC_KEY, "events": sent}, rows)
    return keyless._replace(has_key=False)


@st.composite
def _clickstream(draw: st.DrawFn) -> Drawn:
    sent, rows = draw(_batches(_CLICKSTREAM))
    if len(sent) == 1:
        return _request("/ingest", sent[0], rows)
    client = {**draw(_unknown), "sdkVersion": "1", "deviceId": draw(_ids), "appBuild": "7"}
    batch_id = draw(_ids)
    batch = {"batchId": batch_id, "sentAt": "2024-03-02T00:00:00Z", "clientInfo": client}
    shared: Object = {"batchId": batch_id, "clientInfo": client}
    return _request("/ingest/batch", {**batch, "events": sent}, _over(shared, rows))


@st.composite
def _tapemetric(draw: st.DrawFn) -> Drawn:
    sent, rows = draw(_batches(_TAPEMETRIC))
    if draw(st.booleans()):
        return _request("/v1/ingest/events", {"events": sent}, rows)
    path = f"/v1/ingest/beacon?api_key={PUBLIC_KEY}"
    return _request(path, {"events": sent}, rows)._replace(has_key=False)


@st.composite
def _edgemq(draw: st.DrawFn) -> Drawn:
    """Records that are objects, texts, and bytes that are neither."""
    drawn: list[tuple[bytes, Row]] = []
    for _ in range(draw(st.integers(1, 4))):
        if draw(st.booleans()):
            sent, row = draw(_events(_EDGEMQ))
            columns = {**row.columns, "event": row.columns["event"] or "(raw)"}
            drawn.append((json.dumps(sent).encode(), Row(columns, sent, {})))
        else:
            drawn.append(draw(_opaque))
    if len(drawn) == 1:
        record, row = drawn[0]
        return Drawn(f"/v1/endpoints/{ENDPOINT}/ingest", "application/octet-stream", record, [row])
    body = b"\n".join(record for record, _ in drawn)
    return Drawn("/ingest", "application/x-ndjson", body, [row for _, row in drawn])


def _opaque_record(record: bytes) -> tuple[bytes, Row]:
    try:
        text = None if b"\0" in record else record.decode()
    except UnicodeDecodeError:
        text = None
    payload = {"payload_base64": b64encode(record).decode()} if text is None else {"payload": text}
    return record, Row({**dict.fromkeys(COLUMNS), "event": "(raw)"}, payload, {})


_opaque = (
    (st.binary(min_size=1, max_size=40) | _names.map(str.encode))
    .filter(lambda record: bool(record.strip()) and b"\n" not in record)
    .filter(lambda record: not record.strip().startswith(b"{"))
    .map(_opaque_record)
)


def draw_requests(count: int, *, seed: int | None = None) -> list[Drawn]:
    """So many, of all dialects; with a ``seed`` the same again, but for the numbers in ids."""
    found: list[Drawn] = []

    @given(
        st.one_of(
            _native(), _novamesh(), _realanalytics(), _clickstream(), _tapemetric(), _edgemq()
        )
    )
    @settings(
        max_examples=count,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def collect(drawn: Drawn) -> None:
        found.append(drawn)

    (collect if seed is None else with_seed(seed)(collect))()
    return found


def _request(path: str, value: object, rows: list[Row]) -> Drawn:
    return Drawn(path, "application/json", json.dumps(value).encode(), rows)


def _over(shared: Mapping[str, object], rows: list[Row]) -> list[Row]:
    """The rows with what their request has around all of them; their own names win."""
    return [row._replace(context={**shared, **row.context}) for row in rows]
