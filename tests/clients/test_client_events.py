"""An event as the client sends it."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from weir_client.events import (
    Encoded,
    encode_batch,
    encode_event,
    encode_rest,
    identity_of,
    make_event_id,
)

NOW_S = 1_800_000_000.25


def _sent(fields: dict[str, object], context: dict[str, object] | None = None) -> dict[str, Any]:
    encoded = encode_event(fields, context=context or {}, now_s=NOW_S, random_bits=7)
    found: dict[str, Any] = json.loads(encoded.body)
    assert found["event_id"] == encoded.event_id == identity_of(encoded.body).event_id
    return found


def test_an_event_without_id_and_time_gets_them() -> None:
    """An id of its own, and now; what is None is not sent."""
    found = _sent({"event": "signup", "user_id": None})
    assert found == {
        "event": "signup",
        "event_id": make_event_id(NOW_S, 7),
        "ts": "2027-01-15T08:00:00.250000+00:00",
    }


def test_id_and_time_of_the_caller_stay() -> None:
    """A time without a zone is local, as everywhere in Python; a text goes as it is."""
    zone = timezone(timedelta(hours=2))
    found = _sent({"event": "a", "event_id": "mine", "ts": datetime(2026, 1, 2, tzinfo=zone)})
    assert (found["event_id"], found["ts"]) == ("mine", "2026-01-02T00:00:00+02:00")
    naive = datetime.fromtimestamp(NOW_S)  # noqa: DTZ006  # a time without a zone is the case
    assert datetime.fromisoformat(_sent({"event": "a", "ts": naive})["ts"]).timestamp() == NOW_S
    assert _sent({"event": "a", "ts": "2026-01-02"})["ts"] == "2026-01-02"


def test_the_context_of_an_event_lies_over_the_clients() -> None:
    """Names of the event win, the others are added."""
    found = _sent({"event": "a", "context": {"app": "b"}}, {"app": "a", "os": "x"})
    assert found["context"] == {"app": "b", "os": "x"}
    assert _sent({"event": "a"}, {"os": "x"})["context"] == {"os": "x"}


def test_values_that_every_program_has_become_text() -> None:
    """Times, dates, UUIDs and decimals; letters of all scripts stay as they are."""
    values = {
        "at": datetime(2026, 1, 2, tzinfo=UTC),
        "day": date(2026, 1, 2),
        "id": UUID(int=1),
        "price": Decimal("1.10"),
        "name": "Ünïcödé 🎉 \\u0000",
    }
    assert _sent({"event": "a", "properties": values})["properties"] == {
        "at": "2026-01-02T00:00:00+00:00",
        "day": "2026-01-02",
        "id": "00000000-0000-0000-0000-000000000001",
        "price": "1.10",
        "name": "Ünïcödé 🎉 \\u0000",
    }


_CYCLE: dict[str, object] = {}
_CYCLE["self"] = _CYCLE


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), object(), b"bytes", "\ud800", "a\0b", _CYCLE, {(1,): 1}]
)
def test_what_json_cannot_say_is_a_value_error(value: object) -> None:
    """One kind of error for all of it, before anything is sent."""
    with pytest.raises(ValueError, match=r"."):
        _sent({"event": "a", "properties": {"value": value}})


def test_of_an_event_that_cannot_be_said_the_rest_is() -> None:
    """Whoever hears of its loss sees which event it was."""
    fields = {"event": "a", "user_id": None, "properties": {"x": object()}, "ts": "now"}
    rest = encode_rest(fields, "made")
    assert json.loads(rest.body) == {"event": "a", "event_id": "made", "ts": "now"}
    assert rest.event_id == "made"
    own = encode_rest({"event_id": 7, "event": "a", "x": b""}, "made")
    assert own == Encoded("7", b'{"event_id":"7","event":"a"}', "a")
    assert encode_rest({"event_id": b""}, "made") == Encoded("made", b'{"event_id":"made"}')


def test_ids_are_uuids_of_version_7_in_the_order_of_time() -> None:
    """RFC 9562: version and variant, milliseconds first, random bits last."""
    early, late = make_event_id(NOW_S, (1 << 80) - 1), make_event_id(NOW_S + 0.001, 0)
    assert early < late
    for text in (early, late):
        found = UUID(text)
        assert (str(found), found.version, found.variant) == (text, 7, "specified in RFC 4122")
    assert UUID(early).int >> 80 == int(NOW_S * 1000)
    assert make_event_id(NOW_S, 1) != make_event_id(NOW_S, 2)


def test_a_batch_says_when_it_leaves() -> None:
    """``sent_at`` is of the envelope and of this attempt; the events are the same bytes."""
    body = encode_batch([b'{"event":"a"}', b'{"event":"b"}'], NOW_S)
    assert json.loads(body) == {
        "sent_at": "2027-01-15T08:00:00.250000+00:00",
        "events": [{"event": "a"}, {"event": "b"}],
    }
