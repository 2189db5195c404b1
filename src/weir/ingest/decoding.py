"""Bodies to events: the fast decoder first, the field-by-field reference when it balks.

The door decodes to validate and the loader decodes again to store; both go through here, so that
what one accepts the other can process.
"""

from collections.abc import Mapping, Sequence

import msgspec

from weir.domain.event import ABSENT, Event
from weir.errors import InvalidInput
from weir.ingest.admission import Limits
from weir.ingest.body import BodyTooLarge
from weir.ingest.fields import PROBLEMS_MAX, Checked, Field, check_event

_ACCEPTABLE_STARTS = {b"{", b"n", b""}
"""First byte of an object, of null, and of nothing: what an optional object may be."""


def check_json(body: bytes) -> None:
    """Raises ``InvalidInput`` unless the body is JSON.

    To be called when a decoder failed, so that its complaint is about shape alone.
    """
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except msgspec.DecodeError as error:
        raise malformed(error) from None
    except RecursionError:
        raise InvalidInput("The JSON is nested too deeply.") from None


def malformed(error: Exception) -> InvalidInput:
    """The error for a body that is not JSON."""
    return InvalidInput(f"The body is not valid JSON: {error}.")


def plain_properties(events: Sequence[Event]) -> list[bytes] | None:
    """The text of every event's properties; None when one, or a context, is not an object."""
    pieces = [bytes(event.properties) for event in events]
    if not {piece[:1] for piece in pieces} <= _ACCEPTABLE_STARTS:
        return None
    contexts = [event.context for event in events if event.context is not ABSENT]
    if contexts and not all(is_object(context) for context in contexts):
        return None
    return pieces


def plain_piece(event: Event) -> bytes | None:
    """``plain_properties`` of a single event."""
    piece = bytes(event.properties)
    if piece[:1] not in _ACCEPTABLE_STARTS:
        return None
    if event.context is not ABSENT and not is_object(event.context):
        return None
    return piece


def is_object(raw: msgspec.Raw) -> bool:
    """Whether valid JSON is an object, null, or absent."""
    return bytes(raw)[:1] in _ACCEPTABLE_STARTS


def pieces_of(events: Sequence[Event]) -> list[bytes]:
    """The text of every event's properties, for ``hygiene.check_depth``."""
    return [bytes(event.properties) for event in events]


def check_each(raws: Sequence[msgspec.Raw], fields: Mapping[str, Field]) -> list[Checked]:
    """Every event of a body looked at field by field."""
    return [check_event(raw, fields) for raw in raws]


def check_sizes(raws: Sequence[msgspec.Raw], limits: Limits) -> None:
    """Raises ``BodyTooLarge`` naming the first event that is over the limit."""
    for index, raw in enumerate(raws):
        if len(bytes(raw)) > limits.event_bytes_max:
            raise BodyTooLarge(
                f"Event {index} is larger than {limits.event_bytes_max} bytes.",
                details=[{"index": index, "field": "", "message": "is too large"}],
            )


def events_or_refusal(checked: Sequence[Checked]) -> list[Event]:
    """All events, or ``InvalidInput`` with every problem of every event."""
    events = [item for item in checked if isinstance(item, Event)]
    if len(events) == len(checked):
        return events
    details: list[dict[str, object]] = [
        {"index": index, "field": problem.field, "message": problem.message}
        for index, item in enumerate(checked)
        if not isinstance(item, Event)
        for problem in item
    ]
    refused = len(checked) - len(events)
    raise InvalidInput(
        f"{refused} of {len(checked)} events are not valid; nothing was stored.",
        details=details[:PROBLEMS_MAX],
        refused_count=len(checked),
    )
