"""Every field of both dialects, in every state a client can send it in."""

from datetime import UTC, datetime

import msgspec
import pytest

from tests.unit.dialects.making import admit, stored, values_of
from weir.dialects.fields import TIME_MESSAGE, YEARS_MESSAGE, Field
from weir.dialects.native import events as native
from weir.dialects.novamesh import events as novamesh
from weir.errors import InvalidInput

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
