"""What every dialect promises of its bodies, from the table of dialects alone.

A dialect in the table is held to all of this without a line more: its fields, shapes, limits and
policy are read from its ``BodyFormat``. What is particular to a vendor stands in its own tests.
"""

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from tests.unit.dialects.corpus import REFUSED_BODIES, REFUSED_VALUES, TAKEN_VALUES
from tests.unit.dialects.making import (
    FORMATS,
    GOOD_VALUES,
    LIMITS,
    admit,
    body_of,
    event_of,
    good_value,
    route_of,
    stored,
    told,
    values_of,
)
from weir.dialects.fields import FIELDS_MAX, PROBLEMS_MAX, Field
from weir.dialects.port import AdmissionLimits, BodyTooLarge
from weir.dialects.shapes import BodyFormat, Shape
from weir.domain.frame import decode_meta
from weir.errors import InvalidInput


class Case(NamedTuple):
    """One field of one route."""

    path: str
    field: Field

    @property
    def fields(self) -> dict[str, Field]:
        """All fields of the route."""
        return dict(FORMATS[self.path].fields)

    @property
    def shape(self) -> Shape:
        """The route's first shape."""
        return FORMATS[self.path].shapes[0]

    def body(self, value: bytes | None, **others: bytes | None) -> bytes:
        """A body of one event with this text of the field; None: without the field."""
        event = event_of(self.fields, **others, **{self.field.name: value})
        return body_of(self.path, self.shape, [event])

    def refuses(self, value: bytes | None) -> bool:
        """Whether such an event is refused, with this field named and no other."""
        names = {_field_in(each) for each in told(self.path, self.body(value))}
        assert names <= {self.field.name}, names
        return bool(names)

    def kept(self, value: bytes | None) -> object:
        """What is stored of the field of such an event, which must be taken."""
        (event,) = stored(self.path, self.body(value))
        values = values_of(event)
        if self.field.target:
            kept = values[self.field.target]
            return None if kept == SENT_AROUND else kept
        properties = values["properties"]
        assert properties is None or isinstance(properties, bytes)
        return json.loads(properties or b"{}").get(self.field.name, ...)

    def is_kept_as_unknown(self, value: bytes) -> bool:
        """Whether such an event is taken and the field stands among its properties."""
        (event,) = stored(self.path, self.body(value))
        name = self.field.name
        is_kept = json.loads(bytes(event.properties))[name] == json.loads(value)
        return is_kept and values_of(event)[self.field.target] in (None, SENT_AROUND)


SENT_AROUND = datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)
"""When the envelopes of ``AROUND`` were sent."""

CASES = [Case(path, field) for path, bodies in FORMATS.items() for field in bodies.fields.values()]
SHAPES = [(path, shape) for path, bodies in FORMATS.items() for shape in bodies.shapes]
BATCHES = [(path, shape) for path, shape in SHAPES if shape != "one"]
OTHERS = {
    "text": [b"5", b"1.5", b"true", b"[]", b"{}", b'["a"]'],
    "time": [b"true", b"[]", b"{}"],
    "object": [b"5", b'"a"', b'"{}"', b"true", b"[]", b"[{}]"],
    "labels": [b"5", b'"a"', b"[1]", b"[null]", b'["a",1]'],
    "integer": [b'"5"', b'""', b"true", b"[]", b"{}", b"1.5", b"1e3", b"-0.1"],
    "number": [b'"5"', b'""', b"false", b"[]", b"{}"],
}
"""Values of other kinds. Numbers are times in some dialects."""

EXTREMES = ["\U0010ffff", "\u202e\u05e9", "e\u0301", "\u0001", "\ufeff", "ﷺ", "\u2028", " ", '"\\/']


def _id(value: object) -> str | None:
    return f"{value.path}.{value.field.name}" if isinstance(value, Case) else None


each_path = pytest.mark.parametrize("path", FORMATS)
each_shape = pytest.mark.parametrize(("path", "shape"), SHAPES)
each_batch = pytest.mark.parametrize(("path", "shape"), BATCHES)
each_field = pytest.mark.parametrize("case", CASES, ids=_id)


def fields_of_kind(*kinds: str) -> pytest.MarkDecorator:
    """The fields of some kinds, of every route."""
    return pytest.mark.parametrize(
        "case", [case for case in CASES if case.field.kind in kinds], ids=_id
    )


def _field_in(detail: dict[str, Any]) -> str:
    """The field that a detail names, however the dialect writes its place."""
    place = detail["path"] if "path" in detail else str(detail["field"]).split(".")
    return str(place[-1]) if place else ""


def _index_in(detail: dict[str, Any]) -> int | None:
    """The index of the event that a detail names."""
    if "index" in detail:
        return detail["index"] if detail["index"] is None else int(detail["index"])
    place = detail["path"] if "path" in detail else str(detail["field"]).split(".")
    return next((int(part) for part in place if part.isdigit()), None)


def _quoted(text: str) -> bytes:
    return json.dumps(text).encode()


def _good(bodies: BodyFormat) -> bytes:
    return event_of(bodies.fields)


# Fields.


@each_field
@pytest.mark.parametrize("value", [None, b"null"], ids=["missing", "null"])
def test_missing_and_null_are_alike(case: Case, value: bytes | None) -> None:
    """A required field is missed; any other is simply not there, a vendor's own null is kept."""
    assert case.refuses(value) == case.field.required
    if not case.field.required:
        absent = ... if value is None and not case.field.target else None
        assert case.kept(value) is absent


@each_field
def test_good_value_is_taken(case: Case) -> None:
    """And it comes out in the field's target, or in properties under its own name."""
    value = good_value(case.field)
    assert not case.refuses(value)
    assert case.kept(value) is not None


@each_field
def test_value_of_another_kind_is_refused_or_kept_as_unknown(case: Case) -> None:
    """Nothing is coerced; a field that the vendor does not know is then like any other."""
    others = OTHERS[case.field.kind]
    if case.field.kind == "time" and not case.field.epoch:
        others = [b"1777000000", b"1777000000.5", *others]
    for value in others:
        if case.field.lenient:
            assert case.is_kept_as_unknown(value)
        else:
            assert case.refuses(value), value


@fields_of_kind("text", "time")
def test_empty_text_is_text_unless_it_must_not_be(case: Case) -> None:
    """Needed texts have a character; a choice is one of its list; a time is no empty text."""
    field = case.field
    if field.lenient and field.kind == "time":
        assert case.is_kept_as_unknown(b'""')
    elif field.chars_min or field.choices or field.kind == "time":
        assert case.refuses(b'""')
    else:
        assert case.kept(b'""') == ""


@fields_of_kind("text")
@pytest.mark.parametrize("letter", ["a", "é", "\U0001f389"])
def test_length_counts_characters(case: Case, letter: str) -> None:
    """However many bytes each has: at the limit it is taken, one more is refused."""
    field = case.field
    if field.choices:
        return
    longest = letter * (field.chars_max or 10_000)
    assert case.kept(_quoted(longest)) == longest
    if field.chars_max is not None:
        assert case.refuses(_quoted(longest + letter))


@fields_of_kind("text")
def test_choice_is_one_of_the_list(case: Case) -> None:
    """Written exactly so."""
    for choice in case.field.choices:
        assert case.kept(_quoted(choice)) == choice
        for other in (choice.upper(), choice + " ", "other"):
            assert case.refuses(_quoted(other))


@fields_of_kind("text")
def test_any_character_is_kept(case: Case) -> None:
    """No normalising, trimming or replacing, written with escapes or not."""
    if case.field.choices:
        return
    for text in EXTREMES:
        for written in (_quoted(text), json.dumps(text, ensure_ascii=False).encode()):
            assert case.kept(written) == text


@fields_of_kind("object")
def test_members_of_an_object_are_bounded_where_the_table_says_so(case: Case) -> None:
    """Repeated names count once."""
    most = case.field.members_max or 1000
    members = [b'"k%d":{"a":1}' % number for number in range(most + 1)]
    assert not case.refuses(b"{%s}" % b",".join(members[:most]))
    assert not case.refuses(b"{%s}" % b",".join(members[:1] * (2 * most)))
    if case.field.members_max:
        assert case.refuses(b"{%s}" % b",".join(members))


@fields_of_kind("object", "labels", "integer", "number")
def test_value_is_kept_as_it_was_written(case: Case) -> None:
    """Byte for byte, of any size."""
    written = {
        "object": [b'{ "a" : 1e999 }', b'{"x":1,"x":2}', b'{"a":[1,2.50,null]}'],
        "labels": [b'[ "a" ]', b'{"a":1}'],
        "integer": [b"0", b"-7", b"4500.0", b"1" + b"0" * 400],
        "number": [b"0", b"-199.50", b"1e999", b"0.1e-3", b"1" + b"0" * 400],
    }
    for value in written[case.field.kind]:
        (event,) = stored(case.path, case.body(value))
        values = values_of(event)
        if case.field.target:
            assert values[case.field.target] == value
        else:
            assert b'"%s":%s' % (case.field.name.encode(), value) in bytes(event.properties)


@each_path
def test_all_problems_are_told_at_once(path: str) -> None:
    """In the table's order, not one a try."""
    bodies = FORMATS[path]
    bad = [field.name for field in bodies.fields.values() if not field.lenient]
    event = b"{%s}" % b",".join(b'"%s":true' % name.encode() for name in bad)
    details = told(path, body_of(path, bodies.shapes[0], [event]))
    assert [_field_in(each) for each in details] == bad
    assert all(each["message"] for each in details)


@each_path
def test_unknown_fields_are_kept_with_the_properties(path: str) -> None:
    """In their order, with their own texts; on a clash the field keeps its name."""
    bodies = FORMATS[path]
    own = b'{"b":{"c": 2 }}'
    further = {} if "properties" not in bodies.fields else {"properties": own}
    event = event_of(bodies.fields, **further, zz=b" 1 ", Event=b"null")
    (taken,) = stored(path, body_of(path, bodies.shapes[0], [event]))
    assert bytes(taken.properties).endswith(b'"zz":1,"Event":null}')
    assert (own[1:-1] in bytes(taken.properties)) == bool(further)
    if further:
        clash = event_of(bodies.fields, **further, b=b"1")
        (taken,) = stored(path, body_of(path, bodies.shapes[0], [clash]))
        assert bytes(taken.properties) == b'{"b":1,"properties":%s}' % own


@each_field
def test_last_of_repeated_fields_counts(case: Case) -> None:
    """A wrong value before it does not matter, however the name is written."""
    good = good_value(case.field)
    for name in (case.field.name, f"\\u{ord(case.field.name[0]):04x}{case.field.name[1:]}"):
        event = event_of(case.fields, **{case.field.name: b"true"})
        repeated = event[:-1] + b',"%s":%s}' % (name.encode(), good)
        (event_taken,) = stored(case.path, body_of(case.path, case.shape, [repeated]))
        (alone,) = stored(case.path, case.body(good))
        taken, expected = values_of(event_taken), values_of(alone)
        for each in (taken, expected):
            each["properties"] = json.loads(each["properties"] or b"{}")  # type: ignore[arg-type]  # bytes, or None
        assert taken == expected


# Batches.


@each_shape
def test_every_shape_is_taken(path: str, shape: Shape) -> None:
    """Spaces around do not matter; the reply is JSON and a success; nothing is told."""
    bodies = FORMATS[path]
    count = 1 if shape == "one" else 2
    body = body_of(path, shape, [_good(bodies)] * count)
    for written in (body, b"\r\n " + body + b" \n"):
        admission = admit(path, written)
        assert (admission.event_count, admission.refused_count, admission.meta) == (count, 0, b"")
        assert admission.reply.status in (200, 202)
        assert isinstance(json.loads(admission.reply.body), dict)
        assert len(stored(path, written)) == count
        assert admit(path, written) == admission


@each_batch
@pytest.mark.parametrize("more", [b"", b"1"], ids=["known", "unknown"])
def test_events_are_bounded(path: str, shape: Shape, more: bytes) -> None:
    """As many as the table says are taken, one more is refused with all, and so is none."""
    bodies = FORMATS[path]
    event = event_of(bodies.fields, unheard_of=more or None)
    assert len(stored(path, body_of(path, shape, [event] * bodies.events_max))) == (
        bodies.events_max
    )
    with pytest.raises(InvalidInput) as caught:
        admit(path, body_of(path, shape, [event] * (bodies.events_max + 1)))
    assert caught.value.code == "batch_too_large"
    assert caught.value.context["refused_count"] == bodies.events_max + 1
    with pytest.raises(InvalidInput):
        admit(path, body_of(path, shape, []))


@each_batch
def test_mixed_batch_meets_the_policy(path: str, shape: Shape) -> None:
    """The good ones are taken in their order, or none; each bad one is told by its index."""
    bodies = FORMATS[path]
    good = [event_of(bodies.fields, n=b"%d" % number) for number in range(3)]
    events = [good[0], b"{}", good[1], b"7", good[2], event_of(bodies.fields, properties=b"7")]
    bad = {1, 3}
    if "properties" in bodies.fields:
        bad.add(5)
    else:
        events.pop()
    body = body_of(path, shape, events)
    assert {_index_in(each) for each in told(path, body)} == bad
    if bodies.policy == "all or none":
        with pytest.raises(InvalidInput) as caught:
            admit(path, body)
        assert caught.value.context["refused_count"] == len(events)
        return
    admission = admit(path, body)
    assert (admission.event_count, admission.refused_count) == (3, len(bad))
    assert set(decode_meta(admission.meta).refused) == bad
    kept = [json.loads(bytes(event.properties)) for event in stored(path, body)]
    assert kept == [{"n": 0}, {"n": 1}, {"n": 2}]


@each_shape
def test_nothing_good_is_refused_as_a_whole(path: str, shape: Shape) -> None:
    """As 400, and never as a success with nothing in it."""
    body = body_of(path, shape, [b"{}", b"{}"])
    try:
        admission = admit(path, body)
    except InvalidInput as error:
        reply = route_of(path).render_error(error)
    else:
        assert admission.event_count == 0
        reply = admission.reply
    assert reply.status == 400
    assert told(path, body)


@each_batch
def test_list_of_problems_is_bounded(path: str, shape: Shape) -> None:
    """A batch of nothing but mistakes does not make a reply of megabytes."""
    bodies = FORMATS[path]
    if bodies.policy == "good events":
        return  # its clients are told of every event that they have to mend
    details = told(path, body_of(path, shape, [b"{}"] * bodies.events_max))
    assert len(details) == min(
        PROBLEMS_MAX, bodies.events_max * len(told(path, body_of(path, shape, [b"{}"])))
    )


# Limits.


@each_shape
@pytest.mark.parametrize("place", ["object", "unknown"])
def test_depth_is_bounded(path: str, shape: Shape, place: str) -> None:
    """So many levels of the body as it was sent, and one more is not taken."""
    bodies = FORMATS[path]
    around = {"one": 0, "lines": 0, "array": 1, "envelope": 2}[shape] + 1
    objects = [field.name for field in bodies.fields.values() if field.kind == "object"]
    for name in objects if place == "object" else ["unheard_of"]:
        for above in (False, True):
            levels = LIMITS.json_depth_max - around - 1 + above
            deep = b'{"d":' + b"[" * levels + b"]" * levels + b"}"
            event = event_of(bodies.fields, **{name: deep})
            body = body_of(path, shape, [event, _good(bodies)])
            count = 1 if shape == "one" else 2
            if not above:
                assert admit(path, body).event_count == count
            elif bodies.policy == "all or none":
                with pytest.raises(InvalidInput, match="deeper than 64"):
                    admit(path, body)
            else:
                assert admit_or_none(path, body) == count - 1


def admit_or_none(path: str, body: bytes, limits: AdmissionLimits = LIMITS) -> int:
    """How many events of a body are taken."""
    try:
        return admit(path, body, limits).event_count
    except InvalidInput:
        return 0


@each_shape
def test_bytes_of_an_event_are_bounded(path: str, shape: Shape) -> None:
    """Of each by itself: a batch may be larger than its events."""
    bodies = FORMATS[path]

    def event(size: int) -> bytes:
        short = event_of(bodies.fields, unheard_of=b'""')
        return event_of(bodies.fields, unheard_of=b'"%s"' % (b"x" * (size - len(short))))

    limits = AdmissionLimits(1000, 64, 1 << 20)
    count = 1 if shape == "one" else 2
    assert admit(path, body_of(path, shape, [event(1000)] * 2), limits).event_count == count
    above = body_of(path, shape, [event(1001), event(1000)])
    if bodies.policy == "all or none":
        with pytest.raises(BodyTooLarge):
            admit(path, above, limits)
    else:
        assert admit_or_none(path, above, limits) == count - 1


@each_shape
@pytest.mark.parametrize("repeated", [False, True], ids=["each once", "one name"])
def test_fields_of_an_event_are_bounded(path: str, shape: Shape, *, repeated: bool) -> None:
    """Known and unknown ones, repeated ones too; at the limit they are all kept."""
    bodies = FORMATS[path]
    needed = event_of(bodies.fields)
    room = FIELDS_MAX - needed.count(b'":')

    def body(unknown: int) -> bytes:
        more = b",".join(b'"f%d":1' % (0 if repeated else number) for number in range(unknown))
        return body_of(path, shape, [needed[:-1] + b"," + more + b"}", needed])

    count = 1 if shape == "one" else 2
    taken = stored(path, body(room))
    assert len(taken) == count
    assert bytes(taken[0].properties).count(b'"f') == (1 if repeated else room)
    expected = 0 if bodies.policy == "all or none" else count - 1
    assert admit_or_none(path, body(room + 1)) == expected


@each_path
def test_what_stands_inside_a_field_is_no_field(path: str) -> None:
    """Neither a list nor an object makes many fields."""
    bodies = FORMATS[path]
    inner = b",".join(b'"a%d":1' % number for number in range(2 * FIELDS_MAX))
    event = event_of(bodies.fields, unheard_of=b"[{%s}]" % inner)
    assert len(stored(path, body_of(path, bodies.shapes[0], [event]))) == 1


@each_batch
@pytest.mark.parametrize("item", [b"1", b"{}", b"[]", b'""'])
def test_millions_of_items_are_refused_without_being_held(
    path: str, shape: Shape, item: bytes
) -> None:
    """A body of nothing but commas does not become a list of objects."""
    with pytest.raises(InvalidInput) as caught:
        admit(path, body_of(path, shape, [item] * 600_000))
    assert route_of(path).render_error(caught.value).status == 400


# Hygiene.


@each_shape
@pytest.mark.parametrize("name", REFUSED_VALUES)
def test_value_that_parsers_disagree_about_is_refused(path: str, shape: Shape, name: str) -> None:
    """In a field that nobody knows, and in the first object that the vendor does."""
    bodies = FORMATS[path]
    known = next(field.name for field in bodies.fields.values() if field.kind == "object")
    for field in ("unheard_of", known):
        event = event_of(bodies.fields, **{field: b'{"v":%s}' % REFUSED_VALUES[name]})
        assert admit_or_none(path, body_of(path, shape, [event])) == 0


@each_shape
@pytest.mark.parametrize("name", TAKEN_VALUES)
def test_good_value_is_kept_byte_for_byte(path: str, shape: Shape, name: str) -> None:
    """Whatever it is, and wherever it stands."""
    bodies = FORMATS[path]
    value = TAKEN_VALUES[name][2:-2] if name == "deepest" else TAKEN_VALUES[name]
    for field in ("unheard_of", "properties"):
        event = event_of(bodies.fields, **{field: b'{"v":%s}' % value})
        for kept in stored(path, body_of(path, shape, [event])):
            assert b'{"v":%s}' % value in bytes(kept.properties)


@each_path
@pytest.mark.parametrize("name", REFUSED_BODIES)
def test_bad_body_is_refused(path: str, name: str) -> None:
    """Whatever it is instead of events."""
    assert admit_or_none(path, REFUSED_BODIES[name]) == 0


@each_path
@pytest.mark.parametrize("body", [b"", b" \r\n"])
def test_empty_body_is_told_as_such(path: str, body: bytes) -> None:
    """Not as JSON that was cut off."""
    with pytest.raises(InvalidInput, match="The body is empty"):
        admit(path, body)


@each_shape
def test_no_truncation_is_taken_whole(path: str, shape: Shape) -> None:
    """No part of a body from its start is taken for a smaller body, but whole lines are."""
    bodies = FORMATS[path]
    event = event_of(bodies.fields, unheard_of='{"a":[1,"é"]}'.encode())
    body = body_of(path, shape, [event, event])
    for cut in range(len(body)):
        taken = admit_or_none(path, body[:cut])
        assert taken == (shape == "lines" and cut >= len(event))


@each_path
def test_reply_to_a_refusal_is_json(path: str) -> None:
    """Of a body that is no JSON, too large, or not sent as it should be."""
    for error in (InvalidInput("No."), BodyTooLarge("Too large.")):
        reply = route_of(path).render_error(error)
        assert isinstance(json.loads(reply.body), dict)
        assert reply.status == error.status


def test_good_values_are_of_every_kind() -> None:
    """A new kind of field has its values here, or none of this holds for it."""
    assert {case.field.kind for case in CASES} <= set(GOOD_VALUES) <= set(OTHERS)
