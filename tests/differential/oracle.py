"""What the answer should be: a bare engine over tables made from the JSON as it was sent.

Nothing here is Weir's. Python's own JSON parser reads each event, and each property that queries
ask for becomes plain columns of one table: its text, its truth value, its number as a double and
as a rank. Ranks stand for exact numbers: of all numbers that were sent or that queries compare
with, the place in their order, so that comparing ranks is comparing the numbers themselves. In the
order of a property's values texts come behind all numbers, by their letters.

The rules are those of docs/reference/sql.md: what is missing or null is null; a list or an object
is its JSON; a number is what JSON calls one, or a text that is spelled like one; of a key sent
twice the first counts.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

import duckdb
import pyarrow as pa

TABLE: Final = "events"
FUTURE: Final = timedelta(days=1)
"""A claim further ahead becomes the arrival; with ``sent_at``, here years off, claims stay."""

_CAPITAL: Final = re.compile("[A-Z]")
_NUMBER: Final = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?\Z")
_PLAIN: Final = re.compile(r"-?(0|[1-9]\d*)\Z")
_TIME: Final = pa.timestamp("us", tz="UTC")
_TRUTH: Final = {"true": True, "false": False}


class Path(NamedTuple):
    """A JSON column and the keys below it."""

    column: str
    keys: tuple[str, ...]


class _Number(str):
    """A JSON number, as it was spelled."""

    __slots__ = ()


def column_of(path: Path, aspect: str) -> str:
    """Returns the oracle's column of a path: ``text``, ``rank``, ``order``, ``double``,
    ``truth`` or ``json``."""
    name = "/".join((path.column, *path.keys)) + ":" + aspect
    name = _CAPITAL.sub(r"^\g<0>", name)  # the engine's names know no case
    return '"' + name.replace('"', '""') + '"'


class _Missing:
    """What is at a path that leads nowhere; JSON's null is something."""


MISSING: Final = _Missing()


class Oracle:
    """A bare engine with one table, and the rank of each number that queries compare with.

    Each of the ``words`` has a column with its place among the values of properties.
    """

    def __init__(
        self,
        sent: Iterable[str],
        arrivals: Mapping[str, datetime],
        *,
        paths: Sequence[Path],
        literals: Iterable[str],
        words: Sequence[str] = (),
    ) -> None:
        self._connection = duckdb.connect(":memory:", config={"threads": "1"})
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("SET python_enable_replacements = false")
        events = [_read(text) for text in sent]
        values = {path: [_at(event, path) for event in events] for path in paths}
        numbers = {path: [_number(value) for value in found] for path, found in values.items()}
        known = {each for found in numbers.values() for each in found if each is not None}
        known |= {Decimal(literal) for literal in literals}
        self._ranks = {number: place for place, number in enumerate(sorted(known))}
        spelled = self._number_texts(values.values())
        texts = {path: [_text(value, spelled) for value in found] for path, found in values.items()}
        shown = {text for found in texts.values() for text in found if text is not None}
        letters = sorted(shown | set(words))
        behind = {text: len(self._ranks) + place for place, text in enumerate(letters)}
        columns = _plain_columns(events, arrivals)
        for path in paths:
            columns |= self._columns(path, values[path], numbers[path], texts[path], behind)
        for word in words:
            places = pa.array([behind[word]] * len(events), pa.int64())
            columns[column_of(Path("words", (word,)), "order")] = places
        names = [name.strip('"').replace('""', '"') for name in columns]
        self._connection.register("sent", pa.table(list(columns.values()), names))
        self._connection.execute(f"CREATE TABLE {TABLE} AS SELECT * FROM sent")
        self._connection.unregister("sent")

    def rank(self, literal: str) -> int:
        """Returns the place of a number that was announced."""
        return self._ranks[Decimal(literal)]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Returns a query's rows. Raises ``duckdb.Error``."""
        table = self._connection.sql(sql).to_arrow_table()
        if not table.num_columns:
            return [()] * table.num_rows
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    def close(self) -> None:
        """Ends the engine."""
        self._connection.close()

    def _columns(
        self,
        path: Path,
        values: Sequence[object],
        numbers: Sequence[Decimal | None],
        shown: Sequence[str | None],
        behind: Mapping[str, int],
    ) -> dict[str, pa.Array]:
        ranks = [None if number is None else self._ranks[number] for number in numbers]
        doubles = [None if number is None else float(number) for number in numbers]
        whole = [None if value is MISSING else _as_json(value) for value in values]
        return {
            column_of(path, "text"): pa.array(shown, pa.string()),
            column_of(path, "rank"): pa.array(ranks, pa.int64()),
            column_of(path, "order"): pa.array(
                [
                    behind[text] if rank is None and text is not None else rank
                    for rank, text in zip(ranks, shown, strict=True)
                ],
                pa.int64(),
            ),
            column_of(path, "double"): pa.array(doubles, pa.float64()),
            column_of(path, "truth"): pa.array([_TRUTH.get(str(text)) for text in shown]),
            column_of(path, "json"): pa.array(whole, pa.string()),
        }

    def _number_texts(self, values: Iterable[Sequence[object]]) -> dict[str, str]:
        """The text of each number that is not spelled plainly, as the engine shows it."""
        odd = {str(value) for found in values for value in found if isinstance(value, _Number)}
        return {
            spelled: self._connection.execute(
                "SELECT json_extract_string(?, '$[0]')", [f"[{spelled}]"]
            ).fetchall()[0][0]
            for spelled in odd
            if not _PLAIN.match(spelled)
        }


def _read(text: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(
        text, object_pairs_hook=_first_wins, parse_int=_Number, parse_float=_Number
    )
    return read


def _first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        found.setdefault(key, value)
    return found


def _at(event: Mapping[str, Any], path: Path) -> object:
    value: object = event.get(path.column, MISSING)
    for key in path.keys:
        if isinstance(value, dict):
            value = value.get(key, MISSING)
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return MISSING
    return value


def _number(value: object) -> Decimal | None:
    return Decimal(value) if isinstance(value, str) and _NUMBER.match(value) else None


def _text(value: object, texts: Mapping[str, str]) -> str | None:
    match value:
        case None | _Missing():
            return None
        case bool():
            return "true" if value else "false"
        case _Number():
            return texts.get(value, str(value))
        case str():
            return value
        case _:
            return _as_json(value)


def _as_json(value: object) -> str:
    match value:
        case dict():
            members = (f"{_as_json(key)}:{_as_json(each)}" for key, each in value.items())
            return "{" + ",".join(members) + "}"
        case list():
            return "[" + ",".join(map(_as_json, value)) + "]"
        case _Number():
            return str(value)
        case _:
            return json.dumps(value, ensure_ascii=False)


def _plain_columns(
    events: Sequence[Mapping[str, Any]], arrivals: Mapping[str, datetime]
) -> dict[str, pa.Array]:
    received = [arrivals[event["event_id"]] for event in events]
    claimed = [_moment(event.get("ts")) for event in events]
    sent = [_moment(event.get("sent_at")) for event in events]
    times = [
        arrived if claim is None or (left is None and claim - arrived > FUTURE) else claim
        for claim, left, arrived in zip(claimed, sent, received, strict=True)
    ]
    names = ("event_id", "event", "user_id", "anonymous_id", "session_id")
    texts = {name: pa.array([event.get(name) for event in events], pa.string()) for name in names}
    moments = {"ts": times, "client_ts": claimed, "sent_at": sent, "received_at": received}
    return texts | {name: pa.array(found, _TIME) for name, found in moments.items()}


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
