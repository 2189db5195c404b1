"""Bodies to events: the fast decoder first, the field-by-field reference when it balks.

The door decodes to validate and the loader decodes again to store; both go through here, so that
what one accepts the other can process.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import msgspec

from weir.dialects.fields import (
    FIELDS_MAX,
    PROBLEMS_MAX,
    Checked,
    Field,
    Problem,
    judge_event,
)
from weir.dialects.hygiene import check_depth, find_fault
from weir.dialects.jsontext import extend, is_absent, member_names, members, share
from weir.dialects.port import AdmissionLimits, BodyTooLarge
from weir.domain.event import Event
from weir.errors import InvalidInput

COMMAS_UNCOUNTED = 100_000
"""Commas of a body whose items, however many, are taken apart without being counted first."""

SHARED_MEMBERS_MAX = 500
"""Members of a context that events share."""

NAME_CHARS_TOLD = 64
"""Longest name of a member that an answer repeats."""

MEMBERS_MAX = 250_000
"""Members that the events of one request may make us take apart: their fields, their contexts'
members, and those of properties that unknown fields are put behind."""


Tell = Callable[[int, Problem], dict[str, object]]
"""What a reply's ``details`` hold of a problem of the event with that index."""


_EMPTY = msgspec.Raw(b"{}")


class _Item(msgspec.Struct, gc=False):
    """An object of which nothing is kept."""


class _Items(msgspec.Struct):
    events: list[_Item]


_decode_items = msgspec.json.Decoder(list[_Item]).decode
_decode_envelope = msgspec.json.Decoder(_Items).decode


def check_json(body: bytes) -> None:
    """Raises ``InvalidInput`` unless the body is JSON.

    To be called when a decoder failed, so that its complaint is about shape alone.
    """
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except msgspec.DecodeError as error:
        raise malformed(body, error) from None
    except RecursionError:
        raise InvalidInput("The JSON is nested too deeply.") from None


def malformed(body: bytes, error: Exception) -> InvalidInput:
    """The error for a body that is not JSON."""
    if not body.strip():
        return InvalidInput("The body is empty.")
    return InvalidInput(f"The body is not valid JSON: {error}.")


def share_context(events: Sequence[Event], shared: msgspec.Raw) -> None:
    """Lays ``shared`` under every event's own context: the event's names win."""
    if is_absent(shared):
        return
    offered = share(shared)
    for event in events:
        own = event.context
        event.context = shared if is_absent(own) else extend(own, offered)


def check_shared(shared: msgspec.Raw, event_count: int, limits: AdmissionLimits) -> None:
    """Raises ``BodyTooLarge`` when a small request would become a large one by sharing.

    And ``InvalidInput`` when the context, of which the depth was checked, has too many members.
    """
    text = bytes(shared)
    if len(text) > limits.event_bytes_max:
        raise BodyTooLarge(f"The shared context is larger than {limits.event_bytes_max} bytes.")
    if len(text) * event_count > limits.shared_bytes_max:
        raise BodyTooLarge(
            f"The shared context under each of {event_count} events comes to more than"
            f" {limits.shared_bytes_max} bytes.",
            hint="Send fewer events in a request, or a smaller context.",
        )
    if text.count(b":") <= SHARED_MEMBERS_MAX:
        return
    if len(members(text.decode(), count_max=SHARED_MEMBERS_MAX)) > SHARED_MEMBERS_MAX:
        raise InvalidInput(f"The shared context has more than {SHARED_MEMBERS_MAX} members.")


def check_item_count(count_items: Callable[[bytes], int], body: bytes, events_max: int) -> None:
    """Raises ``InvalidInput`` before a list of millions of items is made of a body.

    ``count_items`` decodes it to nothing but a number. Only bodies with very many commas are
    looked at, and of them those with items that are no objects are refused as well.
    """
    if body.count(b",") <= COMMAS_UNCOUNTED:
        return
    try:
        count = count_items(body)
    except msgspec.ValidationError:
        raise InvalidInput("The events must be an array of objects.") from None
    except (msgspec.DecodeError, RecursionError):
        return  # whoever decodes it next says what is wrong
    check_count(count, events_max)


def check_count(count: int, items_max: int, *, noun: str = "events") -> None:
    """Raises ``InvalidInput`` for a request with too many events, or what ``noun`` names."""
    if count > items_max:
        raise InvalidInput(
            f"A request holds at most {items_max} {noun}; this one has {count}.",
            code="batch_too_large",
            refused_count=count,
        )


def count_array(body: bytes) -> int:
    """Items of a JSON array of objects; raises as the decoder does."""
    return len(_decode_items(body))


def count_envelope(body: bytes) -> int:
    """Items of the array ``events`` of a JSON object; raises as the decoder does."""
    return len(_decode_envelope(body).events)


def judge_each(raws: Sequence[msgspec.Raw], fields: Mapping[str, Field]) -> list[list[Problem]]:
    """What is wrong with every event, field by field; nothing is made of them.

    Raises ``InvalidInput`` when they have more members than a request may.
    """
    found: list[list[Problem]] = []
    room = MEMBERS_MAX
    for raw in raws:
        problems, count = judge_event(raw, fields)
        found.append(problems)
        room -= count
        if room < 0:
            raise _too_many_members(len(raws))
    return found


def tell_index(_: int, index: int, problem: Problem) -> dict[str, object]:
    """A problem by its event's index, field and message."""
    return {"index": index, "field": problem.field, "message": problem.message}


def _too_many_members(event_count: int) -> InvalidInput:
    return InvalidInput(
        f"The events have more than {MEMBERS_MAX} fields and members of objects together.",
        code="batch_too_large",
        refused_count=event_count,
    )


def check_sizes(raws: Sequence[msgspec.Raw], limits: AdmissionLimits) -> None:
    """Raises ``BodyTooLarge`` naming the first event that is over the limit."""
    for index, raw in enumerate(raws):
        if len(bytes(raw)) > limits.event_bytes_max:
            raise BodyTooLarge(
                f"Event {index} is larger than {limits.event_bytes_max} bytes.",
                details=[{"index": index, "field": "", "message": "is too large"}],
            )


def check_beside(envelope: bytes) -> None:
    """Raises ``InvalidInput`` when what stands beside the events of a mended body has a fault."""
    for name, raw in member_names(envelope).items():
        if name == "events":
            continue
        fault = find_fault(bytes(raw))
        if fault is not None or "\0" in name:
            told = name if len(name) <= NAME_CHARS_TOLD and "\0" not in name else ""
            message = fault or "has a NUL escape in its name"
            raise InvalidInput(
                f"The member {told!r} of the body {message}.",
                details=[{"field": told, "code": "invalid_json", "message": message}],
            )


def find_faulty(raws: Sequence[msgspec.Raw]) -> dict[int, list[Problem]]:
    """The events of a mended body whose text may not be stored, by their index."""
    found: dict[int, list[Problem]] = {}
    for index, raw in enumerate(raws):
        fault = find_fault(bytes(raw))
        if fault is not None:
            found[index] = [Problem(_field_of_fault(raw), "invalid_json", fault)]
    return found


def _field_of_fault(raw: msgspec.Raw) -> str:
    """The field, and the member of it, where it is simply found; else nothing."""
    path: list[str] = []
    try:
        while len(path) < 2 and bytes(raw)[:1] == b"{" and bytes(raw).count(b",") < FIELDS_MAX:
            sent = member_names(raw)
            name = next(name for name, value in sent.items() if find_fault(bytes(value)))
            if len(name) > NAME_CHARS_TOLD or "\0" in name:
                break
            path.append(name)
            raw = sent[name]
    except (StopIteration, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass  # the fault is in a name, or in what is no JSON besides
    return ".".join(path)


def find_refused(
    raws: Sequence[msgspec.Raw],
    fields: Mapping[str, Field],
    limits: AdmissionLimits,
    *,
    levels_around: int,
    faulty: Mapping[int, list[Problem]],
) -> dict[int, list[Problem]]:
    """What is wrong with each event, by its index, where the good ones are taken without it.

    ``levels_around`` are levels of JSON around an event; what is wrong with the ``faulty`` ones
    is known already. Raises as ``judge_each`` does.
    """
    looked_at = [_EMPTY if index in faulty else raw for index, raw in enumerate(raws)]
    judged = judge_each(looked_at, fields)
    return {
        index: problems
        for index, raw in enumerate(raws)
        if (problems := faulty.get(index) or judged[index] or _excesses(raw, levels_around, limits))
    }


def _excesses(raw: msgspec.Raw, levels_around: int, limits: AdmissionLimits) -> list[Problem]:
    """What of one event is over a limit."""
    text = bytes(raw)
    if len(text) > limits.event_bytes_max:
        message = f"is larger than {limits.event_bytes_max} bytes"
        return [Problem("", "validation.length", message)]
    try:
        depth_max = limits.json_depth_max
        check_depth(text, [b""], depth_max=depth_max, levels_around=levels_around)
    except InvalidInput as error:
        return [Problem("", "invalid_json", error.message)]
    return []


def refuse_problems(found: Sequence[Sequence[Problem]], tell: Tell) -> None:
    """Raises ``InvalidInput`` with every problem of every event, if there is one."""
    refused = sum(1 for problems in found if problems)
    if not refused:
        return
    details = [tell(index, problem) for index, each in enumerate(found) for problem in each]
    raise InvalidInput(
        f"{refused} of {len(found)} events are not valid; nothing was stored.",
        details=details[:PROBLEMS_MAX],
        refused_count=len(found),
    )


def events_or_refusal(checked: Sequence[Checked]) -> list[Event]:
    """All events, or ``InvalidInput`` with every problem of every event."""
    found = [[] if isinstance(item, Event) else item for item in checked]
    refuse_problems(found, partial(tell_index, 0))
    return [item for item in checked if isinstance(item, Event)]
