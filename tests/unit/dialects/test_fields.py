"""Every field of both dialects, in every state a client can send it in."""

from datetime import UTC, datetime

import msgspec
import pytest

from tests.unit.dialects.making import admit, stored, values_of
from weir.dialects.fields import TIME_MESSAGE, YEARS_MESSAGE, Field
from weir.dialects.native import events as native
from weir.dialects.novamesh import events as novamesh
from weir.errors import InvalidInput

EXTREMES = [
    "\U0010ffff",
    "\u202e\u05e9",
    "e\u0301",
    "\u0001",
    "\ufeff",
    "ﷺ",
    "👩‍👩‍👧",
    "\u2028",
    " ",
]
TIMES = {
    "2026-01-02T03:04:05Z": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "2026-01-02T03:04:05.123456Z": datetime(2026, 1, 2, 3, 4, 5, 123456, tzinfo=UTC),
    "2026-01-02t03:04:05z": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "2026-01-02 03:04:05+00:00": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "2026-01-02T05:04:05+02:00": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "2026-01-02T05:04:05+0200": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "20260102T030405Z": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "2026-01-02T03:04Z": datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    "2026-W01-5T00:00:00Z": datetime(2026, 1, 2, tzinfo=UTC),
    " 2026-01-02T03:04:05Z ": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "2026-01-02T03:04:05": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "2026-01-02": datetime(2026, 1, 2, tzinfo=UTC),
    "+002026-01-02T03:04:05.678Z": datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC),
    "2026-01-02T05:04:05+02:00[Europe/Berlin]": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "2016-12-31T23:59:60Z": datetime(2017, 1, 1, tzinfo=UTC),
}
NO_TIMES = [
    "", "yesterday", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-02T25:00:00Z",
    "17673228", "2026-01-02T03:04:05+99:00", "02.01.2026", "2026-01-02T03:04:05ZZ",
    "٢٠٢٦-01-02T03:04:05Z", "2026-01-02X03:04:05Z",
]  # fmt: skip
OTHER_YEARS = ["0000-01-01T00:00:00Z", "+012026-01-02T03:04:05Z", "-000001-12-31T00:00:00Z"]
EPOCHS = {
    b"1767323045": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    b"1767323045.678": datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC),
    b"1767323045678": datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC),
    b'"1767323045"': datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    b'"1767323045.678"': datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC),
    b"0": datetime(1970, 1, 1, tzinfo=UTC),
}

DIALECTS = {"/v1/events": native.FIELDS, "/v1/ingest": novamesh.FIELDS}
CASES = [(path, name) for path, fields in DIALECTS.items() for name in fields]

TIME_CASES = [(path, name) for path, name in CASES if DIALECTS[path][name].kind == "time"]

each_field = pytest.mark.parametrize(("path", "name"), CASES)
each_time = pytest.mark.parametrize(("path", "name"), TIME_CASES)


def _encode(value: object) -> bytes:
    return msgspec.json.encode(value)


def _field(path: str, name: str) -> Field:
    return DIALECTS[path][name]


def _event(name: str, value: object) -> dict[str, object]:
    return {"event": "a", name: value}


def _problems(path: str, sent: dict[str, object]) -> list[tuple[str, str]]:
    """Field and message of each problem, whatever the dialect's reply looks like."""
    try:
        admission = admit(path, _encode(sent))
    except InvalidInput as error:
        told = error.details or []
    else:
        if admission.event_count:
            return []
        told = msgspec.json.decode(admission.reply.body)["results"]
    return [(str(each["field"]), str(each["message"])) for each in told]


def _stored(path: str, sent: dict[str, object]) -> dict[str, object]:
    (event,) = stored(path, _encode(sent))
    return values_of(event)


@each_field
def test_missing_and_null_are_alike(path: str, name: str) -> None:
    """A required field is missed, any other is simply not there."""
    field = _field(path, name)
    others: dict[str, object] = {} if name == "event" else {"event": "a"}
    for sent in (others, {**others, name: None}):
        if field.required:
            assert _problems(path, sent) == [(name, "is required")]
        else:
            assert _stored(path, sent)[field.target] is None


@each_field
def test_wrong_type_is_named_or_kept_as_unknown(path: str, name: str) -> None:
    """Nothing is coerced; a field that the vendor does not know is kept in the properties."""
    field = _field(path, name)
    wrong: list[object] = [0, 1.5, True, False, [], ["a"]]
    wrong += ["text"] if field.kind == "object" else [{}, {"a": "b"}]
    if field.epoch:
        wrong = [value for value in wrong if isinstance(value, bool) or not value]
        wrong.remove(0)
    for value in wrong:
        sent = _event(name, value)
        if field.lenient:
            found = _stored(path, sent)
            assert found[field.target] is None
            assert found["properties"] == _encode({name: value})
        else:
            expected = "must be an object" if field.kind == "object" else "must be a string"
            expected += " or a number" if field.epoch else ""
            assert _problems(path, sent) == [(name, expected)]


@each_field
def test_empty_text_is_text_unless_it_must_not_be(path: str, name: str) -> None:
    """Names and ids need a character; a time is no empty text."""
    field = _field(path, name)
    if field.kind == "object":
        assert _stored(path, _event(name, {}))[name] == b"{}"
    elif field.kind == "time":
        told = _problems(path, _event(name, ""))
        assert told == ([] if field.lenient else [(name, "must be a valid ISO 8601 datetime")])
    elif field.chars_min:
        assert _problems(path, _event(name, "")) == [(name, "must not be empty")]
    else:
        assert _stored(path, _event(name, ""))[field.target] == ""


@each_field
def test_length_counts_characters(path: str, name: str) -> None:
    """At the limit it passes, one above it does not, however many bytes a character has."""
    field = _field(path, name)
    if field.kind != "text":
        return
    for character in ("a", "é", "🎉", "\u0001"):
        most = field.chars_max or 10_000
        assert _stored(path, _event(name, character * most))[field.target] == character * most
        if field.chars_max is not None:
            told = _problems(path, _event(name, character * (most + 1)))
            assert told == [(name, f"must have at most {most} characters")]


@each_field
def test_any_character_is_kept(path: str, name: str) -> None:
    """No normalising, trimming or replacing."""
    field = _field(path, name)
    for text in EXTREMES:
        if field.kind == "text":
            assert _stored(path, _event(name, text))[field.target] == text
        elif field.kind == "object":
            assert _stored(path, _event(name, {text: text}))[name] == _encode({text: text})


@each_time
@pytest.mark.parametrize("text", TIMES)
def test_time_in_any_iso_form_is_taken(path: str, name: str, text: str) -> None:
    """Without a zone it is UTC."""
    field = _field(path, name)
    found = _stored(path, _event(name, text))[field.target]
    assert isinstance(found, datetime)
    assert (found if found.tzinfo else found.replace(tzinfo=UTC)) == TIMES[text]


@each_time
@pytest.mark.parametrize("text", NO_TIMES)
def test_what_is_no_time_is_refused_or_kept_as_unknown(path: str, name: str, text: str) -> None:
    """Never guessed at."""
    field = _field(path, name)
    sent = _event(name, text)
    if field.lenient:
        assert _stored(path, sent)["properties"] == _encode({name: text})
    else:
        assert _problems(path, sent) == [(name, TIME_MESSAGE)]


@each_time
@pytest.mark.parametrize("text", OTHER_YEARS)
def test_time_in_another_year_is_told_so(path: str, name: str, text: str) -> None:
    """It is well formed, so the words are others than for nonsense."""
    if not _field(path, name).lenient:
        assert _problems(path, _event(name, text)) == [(name, YEARS_MESSAGE)]


@each_time
@pytest.mark.parametrize("value", EPOCHS)
def test_epoch_number_is_a_time_for_new_users_alone(path: str, name: str, value: bytes) -> None:
    """The native dialect takes numbers and digits; NovaMesh's page says text, so it does not."""
    field = _field(path, name)
    sent = _event(name, msgspec.Raw(value))
    if field.epoch:
        assert _stored(path, sent)[field.target] == EPOCHS[value]
    elif not field.lenient:
        expected = TIME_MESSAGE if value.startswith(b'"') else "must be a string"
        assert _problems(path, sent) == [(name, expected)]
    assert field.epoch == (path == "/v1/events")


@each_time
@pytest.mark.parametrize("value", [b"1e300", b"-1e12", b"-99999999999", b"1e-99"])
def test_any_number_is_a_time_or_told_to_be_none(path: str, name: str, value: bytes) -> None:
    """Of any size, without a failure."""
    field = _field(path, name)
    sent = _event(name, msgspec.Raw(value))
    if not field.epoch:
        return
    if value in (b"-1e12", b"1e-99"):
        assert isinstance(_stored(path, sent)[field.target], datetime)
    else:
        assert _problems(path, sent) == [(name, YEARS_MESSAGE)]


@pytest.mark.parametrize("path", DIALECTS)
def test_all_problems_are_told_at_once(path: str) -> None:
    """Not one a try."""
    names = [name for name, field in DIALECTS[path].items() if not field.lenient]
    told = _problems(path, dict.fromkeys(names, True))
    assert [name for name, _ in told] == names


@pytest.mark.parametrize("path", DIALECTS)
def test_unknown_fields_are_kept_beside_the_properties(path: str) -> None:
    """With their own types; on a clash the field keeps its name and the object moves."""
    kept = _stored(path, {"event": "a", "plan": 1, "properties": {"b": 2}, "x": None, "Event": []})
    assert kept["properties"] == b'{"b":2,"plan":1,"x":null,"Event":[]}'
    clash = _stored(path, {"event": "a", "b": 1, "properties": {"b": 2, "c": 3}})
    assert clash["properties"] == b'{"b":1,"properties":{"b":2,"c":3}}'
    alone = _stored(path, {"event": "a", "b": {"c": 3}})
    assert alone["properties"] == b'{"b":{"c":3}}'


@pytest.mark.parametrize("path", DIALECTS)
def test_last_of_repeated_fields_wins_and_first_of_repeated_properties(path: str) -> None:
    """Among an event's own fields the last; inside properties nothing is touched."""
    body = b'{"event":"a","event":"b","properties":{"x":0},"properties":{"x":1,"x":2}}'
    (event,) = stored(path, body)
    assert (event.event, bytes(event.properties)) == ("b", b'{"x":1,"x":2}')
    folded = b'{"event":"a","y":1,"y":2,"properties":{"x":1,"x":2}}'
    (event,) = stored(path, folded)
    assert bytes(event.properties) == b'{"x":1,"x":2,"y":2}'


@pytest.mark.parametrize("path", DIALECTS)
def test_escaped_names_are_the_same_names(path: str) -> None:
    """A field is known by its name, not by how it is written."""
    (event,) = stored(path, b'{"\\u0065vent":"a","user\\u005fid":"u"}')
    assert (event.event, event.user_id, bytes(event.properties)) == ("a", "u", b"")
