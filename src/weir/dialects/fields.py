"""Events checked field by field: the reference that a dialect's fast decoder must agree with.

A dialect decodes a body at once with msgspec; when that fails (or finds fields it does not know)
the events are looked at here one by one, every problem is collected, times are read in all ISO
8601 forms, and unknown fields are folded into ``properties``.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from weir.dialects.jsontext import fold, is_absent, member_names
from weir.domain.event import ABSENT, Event
from weir.domain.instants import is_beyond_years, parse_epoch, parse_time, parse_time_or_epoch

Kind = Literal["text", "time", "object", "labels", "integer", "number"]
"""``labels`` is a list of texts, or an object. An ``integer`` may be written as ``4.0``; numbers of
any size are taken."""

EVENT_ID_CHARS_MAX = 256
FIELDS_MAX = 500
"""Fields of one event, known and unknown; ``properties`` is one, whatever it holds."""

COLONS_UNREAD = 100
"""Colons of an object up to which its members are not counted exactly."""

TIME_MESSAGE = "must be a valid ISO 8601 datetime"
YEARS_MESSAGE = "must lie in the years 1 to 9999"

PROBLEMS_MAX = 100
"""Problems listed in one reply; the rest is the same again."""

_LABELS = msgspec.json.Decoder(list[str])
_INTEGER = re.compile(rb"-?\d+(?:\.0+)?")
_TEXT = msgspec.json.Decoder(str)
_TIME = msgspec.json.Decoder(datetime)
_NUMBER_STARTS = frozenset(b"%d" % digit for digit in range(10)) | {b"-"}


class Field(msgspec.Struct, frozen=True):
    """A field of a dialect: its name on the wire and where it goes in ``Event``.

    A value of another kind in a field that is ``lenient`` (known to us, not to the vendor) makes
    it an unknown field, not a problem. A time with ``epoch`` may be a number as well
    (``instants.parse_epoch``). A field without a target is looked at and then kept as an unknown
    one is.
    """

    name: str
    target: str
    kind: Kind
    required: bool = False
    lenient: bool = False
    epoch: bool = False
    chars_min: int = 0
    chars_max: int | None = None
    empty_code: str = "validation.length"
    """The code of the problem that an empty text is, where it may not be empty."""
    choices: tuple[str, ...] = ()
    """The texts that are taken; none: any."""
    members_max: int | None = None
    """How many members an object may have; None: any number."""


class Problem(msgspec.Struct, frozen=True):
    """Why an event, or one field of it, is refused. ``code`` is one of docs/reference/errors.md."""

    field: str
    code: str
    message: str


class Findings(NamedTuple):
    """Everything that is wrong with an event, and how much of it has to be taken apart."""

    problems: list[Problem]
    members: int
    """Its fields, the members of its context, and of its properties when unknown fields are to
    be put behind them."""


Checked = Event | list[Problem]


def judge_event(raw: msgspec.Raw, fields: Mapping[str, Field]) -> Findings:
    """What ``check_event`` finds wrong, and too many fields, without making an event."""
    opened = _open(raw, fields)
    if not isinstance(opened, _Opened):
        return Findings(opened, 0)
    count = opened.field_count
    if count > FIELDS_MAX:
        message = f"has {count} fields; at most {FIELDS_MAX} are taken"
        return Findings([Problem("", "validation.length", message)], count)
    count += _count_members(opened.values.get("context"))
    if opened.unknown:
        count += _count_members(opened.values.get("properties"))
    return Findings([], count)


def check_event(raw: msgspec.Raw, fields: Mapping[str, Field]) -> Checked:
    """The event of one JSON text, or everything that is wrong with it."""
    opened = _open(raw, fields)
    if not isinstance(opened, _Opened):
        return opened
    values = opened.values
    values["properties"] = fold(opened.unknown, values.get("properties", ABSENT))  # type: ignore[arg-type]  # a Raw
    return Event(**values)  # type: ignore[arg-type]  # the kinds are those of Event


def table(*fields: Field) -> dict[str, Field]:
    """Fields by their name on the wire."""
    return {field.name: field for field in fields}


def time_in(raw: msgspec.Raw, *, epoch: bool) -> datetime | str:
    """The time in a JSON value, or what is wrong with it; ``epoch``: it may be a number."""
    value = bytes(raw)
    if epoch and (value[:1].isdigit() or value[:1] == b"-"):
        return parse_epoch(value.decode()) or YEARS_MESSAGE
    try:
        text = _TEXT.decode(raw)
    except msgspec.ValidationError:
        return "must be a string or a number" if epoch else "must be a string"
    try:
        return _TIME.decode(raw)
    except msgspec.ValidationError:
        parsed = parse_time_or_epoch(text) if epoch else parse_time(text)
    return parsed or (YEARS_MESSAGE if is_beyond_years(text) else TIME_MESSAGE)


def _count_members(value: object) -> int:
    """The members of an object that was sent; more for a small one, whose colons are counted."""
    if not isinstance(value, msgspec.Raw):
        return 0
    colons = bytes(value).count(b":")
    return colons if colons <= COLONS_UNREAD else len(member_names(value))


class _Opened(NamedTuple):
    """A valid event: the values of its known fields by target, and the unknown fields."""

    values: dict[str, object]
    unknown: dict[str, msgspec.Raw]
    field_count: int


def _open(raw: msgspec.Raw, fields: Mapping[str, Field]) -> _Opened | list[Problem]:
    try:
        sent = member_names(raw)
    except RecursionError:
        return [Problem("", "invalid_json", "is nested too deeply")]
    except msgspec.ValidationError:
        return [Problem("", "validation.type", "must be an object")]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return [Problem("", "invalid_json", f"is not valid JSON: {error}")]
    field_count = _count_fields(raw, sent)
    problems: list[Problem] = []
    values: dict[str, object] = {}
    for field in fields.values():
        raw_value = sent.pop(field.name, ABSENT) if field.target else sent.get(field.name, ABSENT)
        found: list[Problem] = []
        value = _check_field(field, raw_value, found)
        if not field.target:
            problems.extend(found)
        elif value is not None:
            values[field.target] = value
        elif found and field.lenient:
            sent[field.name] = raw_value
        else:
            problems.extend(found)
    return problems or _Opened(values, sent, field_count)


def _count_fields(raw: msgspec.Raw, sent: Mapping[str, msgspec.Raw]) -> int:
    """Fields of an event; repeated ones, of which one is in ``sent``, by their commas."""
    commas = bytes(raw).count(b",")
    if commas < FIELDS_MAX:
        return len(sent)
    inside = sum(name.count(",") + bytes(value).count(b",") for name, value in sent.items())
    return max(len(sent), commas - inside + 1)


def _check_field(field: Field, raw: msgspec.Raw, problems: list[Problem]) -> object | None:
    if is_absent(raw):
        if field.required:
            problems.append(Problem(field.name, "validation.required", "is required"))
        return None
    if field.kind == "object":
        return _check_object(field, raw, problems)
    if field.kind == "time":
        return _check_time(field, raw, problems)
    if field.kind in ("integer", "number"):
        return _check_number(field, raw, problems)
    if field.kind == "labels":
        return _check_labels(field, raw, problems)
    try:
        text = _TEXT.decode(raw)
    except msgspec.ValidationError:
        problems.append(Problem(field.name, "validation.type", "must be a string"))
        return None
    return _check_text(field, text, problems)


def _check_object(field: Field, raw: msgspec.Raw, problems: list[Problem]) -> msgspec.Raw | None:
    if not bytes(raw).startswith(b"{"):
        problems.append(Problem(field.name, "validation.type", "must be an object"))
        return None
    if field.members_max is not None and has_more_members(raw, field.members_max):
        message = f"must have at most {field.members_max} keys"
        problems.append(Problem(field.name, "validation.maxItems", message))
        return None
    return raw


def has_more_members(raw: msgspec.Raw, members_max: int) -> bool:
    """Whether an object has more names, repeated ones counted once."""
    return bytes(raw).count(b":") > members_max and len(member_names(raw)) > members_max


def _check_labels(field: Field, raw: msgspec.Raw, problems: list[Problem]) -> msgspec.Raw | None:
    if bytes(raw).startswith(b"{"):
        return raw
    try:
        _LABELS.decode(raw)
    except msgspec.ValidationError:
        message = "must be an array of strings or an object"
        problems.append(Problem(field.name, "validation.type", message))
        return None
    return raw


def _check_time(field: Field, raw: msgspec.Raw, problems: list[Problem]) -> datetime | None:
    found = time_in(raw, epoch=field.epoch)
    if isinstance(found, datetime):
        return found
    kind = "format" if found in (TIME_MESSAGE, YEARS_MESSAGE) else "type"
    problems.append(Problem(field.name, f"validation.{kind}", found))
    return None


def _check_number(field: Field, raw: msgspec.Raw, problems: list[Problem]) -> msgspec.Raw | None:
    text = bytes(raw)
    if field.kind == "number" and text[:1] in _NUMBER_STARTS:
        return raw
    if field.kind == "integer" and _INTEGER.fullmatch(text):
        return raw
    article = "an" if field.kind == "integer" else "a"
    message = f"must be {article} {field.kind}"
    problems.append(Problem(field.name, "validation.type", message))
    return None


def _check_text(field: Field, text: str, problems: list[Problem]) -> str | None:
    if len(text) < field.chars_min:
        problems.append(Problem(field.name, field.empty_code, "must not be empty"))
        return None
    if field.choices and text not in field.choices:
        message = f"must be one of: {', '.join(field.choices)}"
        problems.append(Problem(field.name, "validation.enum", message))
        return None
    if field.chars_max is not None and len(text) > field.chars_max:
        message = f"must have at most {field.chars_max} characters"
        problems.append(Problem(field.name, "validation.length", message))
        return None
    return text
