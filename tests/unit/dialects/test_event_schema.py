"""A dialect's fields, as the description of the API tells them."""

from weir.dialects.event_schema import object_schema
from weir.dialects.fields import Field, table


def test_fields_are_told_with_their_kinds_and_limits() -> None:
    """Each kind as JSON Schema has it; a lenient field takes anything and is left out."""
    fields = table(
        Field("event", "event", "text", required=True, chars_min=1, chars_max=200),
        Field("at", "ts", "time"),
        Field("sent", "sent_at", "time", lenient=True),
        Field("plan", "", "text", choices=("free", "pro")),
        Field("season", "", "integer"),
        Field("properties", "properties", "object", members_max=100),
        Field("experiments", "", "labels"),
    )
    assert object_schema(fields) == {
        "type": "object",
        "required": ["event"],
        "properties": {
            "event": {"type": "string", "minLength": 1, "maxLength": 200},
            "at": {"type": "string", "format": "date-time"},
            "plan": {"type": "string", "enum": ("free", "pro")},
            "season": {"type": "integer"},
            "properties": {"type": "object", "maxProperties": 100},
            "experiments": {
                "oneOf": [{"type": "array", "items": {"type": "string"}}, {"type": "object"}]
            },
        },
    }


def test_time_that_may_be_a_number_is_told_as_both() -> None:
    """Either fits, and the text says how a number is read."""
    told = object_schema(table(Field("ts", "ts", "time", epoch=True)))["properties"]
    assert isinstance(told, dict)
    assert told["ts"]["oneOf"] == [
        {"type": "string", "format": "date-time"},
        {"type": "number"},
    ]
    assert "nanoseconds" in told["ts"]["description"]
