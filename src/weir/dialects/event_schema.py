"""A dialect's table of fields as JSON Schema: what events hold is written down once."""

from collections.abc import Mapping

from weir.dialects.fields import Field
from weir.domain.described import OBJECT, TEXT, TIME

_TIME_OR_NUMBER: Mapping[str, object] = {
    "description": "ISO 8601 text, or a number since 1970-01-01 UTC whose size tells the"
    " unit: seconds, milliseconds, microseconds or nanoseconds.",
    "oneOf": [TIME, {"type": "number"}],
}
_LABELS: Mapping[str, object] = {"oneOf": [{"type": "array", "items": TEXT}, OBJECT]}


def object_schema(fields: Mapping[str, Field]) -> dict[str, object]:
    """The schema of an object with these fields, but for lenient ones, which take any value."""
    told = [field for field in fields.values() if not field.lenient]
    return {
        "type": "object",
        "required": [field.name for field in told if field.required],
        "properties": {field.name: value_schema(field) for field in told},
    }


def list_schema(items: Mapping[str, object], *, items_max: int) -> dict[str, object]:
    """The schema of a request's list of events, of at most ``items_max``."""
    return {"type": "array", "minItems": 1, "maxItems": items_max, "items": items}


def value_schema(field: Field) -> Mapping[str, object]:
    """The schema of one field's value."""
    if field.kind == "time":
        return _TIME_OR_NUMBER if field.epoch else TIME
    if field.kind == "labels":
        return _LABELS
    limits = {
        "minLength": field.chars_min,
        "maxLength": field.chars_max,
        "enum": field.choices,
        "maxProperties": field.members_max,
    }
    kind = "string" if field.kind == "text" else field.kind
    return {"type": kind, **{name: limit for name, limit in limits.items() if limit}}
