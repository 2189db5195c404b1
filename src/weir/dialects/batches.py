"""The policies, written once: take the good events of a request, or all of them or none.

Each decodes a body whole into types made from the dialect's table. On any doubt (it does not
decode, or an event may be large or have too many fields) the events are judged one by one by the
table, which is slower and knows every problem. The two ways never disagree about an event.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from weir.dialects.decoding import (
    MEMBERS_MAX,
    check_beside,
    check_json,
    check_shared,
    check_sizes,
    find_faulty,
    find_refused,
    judge_each,
    refuse_problems,
)
from weir.dialects.fields import FIELDS_MAX, Problem
from weir.dialects.hygiene import (
    check_depth,
    check_depth_apart,
    check_encoding,
    check_text,
    is_sound,
    mend,
)
from weir.dialects.jsontext import is_absent
from weir.dialects.port import AdmissionLimits, BodyTooLarge, Submission
from weir.dialects.shapes import (
    EVENTS_MARK,
    NO_ENVELOPE,
    BodyFormat,
    Envelope,
    FindEvents,
    Items,
    event_finder,
)
from weir.dialects.wire_types import checking_type, decoder, properties_finder
from weir.errors import InvalidInput

COMMAS_UNCOUNTED_BYTES = 4000
"""Size of a body from which it is decoded for events without unknown fields first, as these cannot
have too many fields; commas of a smaller one are counted sooner."""

_UNKNOWN_PIECE = (b"",)

_NONE_REFUSED: Mapping[int, list[Problem]] = {}


class Selection(msgspec.Struct, frozen=True, gc=False):
    """What is taken of a request: how many events, and why the others are not."""

    taken: int
    refused: Mapping[int, list[Problem]]
    """By index."""


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """The events of a request that is taken whole."""

    count: int
    envelope: Envelope


Judge = Callable[[bytes], Accepted]
"""Judges the events of a body one by one; raises ``InvalidInput`` with everything that is wrong."""


TellAt = Callable[[int, int, Problem], dict[str, object]]
"""What a reply's ``details`` hold of a problem, from the levels of JSON around its event, the
event's index and the problem."""


def judge_all(bodies: BodyFormat, tell: TellAt, body: bytes) -> Accepted:
    """Judges the events of a body by the table, and its shape, count and envelope before them."""
    check_json(body)
    items = bodies.split(body)
    bodies.check_count(len(items.raws))
    envelope = bodies.read_envelope(*items.beside)
    found = judge_each(items.raws, bodies.fields)
    refuse_problems(found, partial(tell, items.levels_around))
    return Accepted(len(items.raws), envelope)


ONE_EVENT = Accepted(1, NO_ENVELOPE)
"""What is decided about a body that is one plainly valid event, and nothing around it."""


class SingleEvent:
    """Takes a body that is one event, or refuses it."""

    def __init__(self, bodies: BodyFormat, *, judge: Judge) -> None:
        self._read_plain = _SingleReader(bodies).read
        self._judge = judge

    def check(self, submission: Submission) -> Any | None:
        """The event as it was decoded; None when it was judged field by field.

        Raises ``InvalidInput`` or ``BodyTooLarge`` when it is refused.
        """
        body, limits = submission.body, submission.limits
        if len(body) > limits.event_bytes_max:
            raise BodyTooLarge(f"The event is larger than {limits.event_bytes_max} bytes.")
        check_text(body)
        plain = self._read_plain(body)
        if plain is None:
            self._judge(body)
            plain = None, _UNKNOWN_PIECE
        event, pieces = plain
        check_depth(body, pieces, depth_max=limits.json_depth_max)
        return event


class AllOrNone:
    """Takes the events of a request when each is good; else refuses them all."""

    def __init__(
        self,
        bodies: BodyFormat,
        *,
        judge: Judge,
        check_large: Callable[[bytes, AdmissionLimits], None],
    ) -> None:
        """``check_large`` refuses a body larger than an event that costs much to take apart."""
        assert bodies.policy == "all or none", "the dialect's table says otherwise"
        self._bodies = bodies
        self._events_max = bodies.events_max
        self._has_further_objects = any(
            field.kind in ("object", "labels") and not field.target
            for field in bodies.fields.values()
        )
        self._read_plain = _PlainReader(bodies).read
        self._read_single = _SingleReader(bodies).read if "one" in bodies.shapes else None
        self._judge = judge
        self._check_large = check_large

    def decide(self, submission: Submission) -> Accepted:
        """The events of a request; raises ``InvalidInput`` or ``BodyTooLarge`` to refuse it."""
        body, limits = submission.body, submission.limits
        check_text(body)
        is_large = len(body) > limits.event_bytes_max
        if is_large:
            self._check_large(body, limits)
        elif self._read_single is not None and body[:1] == b"{" and EVENTS_MARK not in body:
            single = self._read_single(body)
            if single is not None:
                check_depth(body, single[1], depth_max=limits.json_depth_max)
                return ONE_EVENT
        plain = self._read_plain(body)
        if plain is None or self._is_doubtful(plain, body):
            accepted = self._judge(body)
            pieces: Sequence[bytes] = [b""] * accepted.count
        else:
            pieces = plain.pieces
            accepted = Accepted(len(pieces), plain.envelope)
        if self._has_further_objects:
            depth_max = limits.json_depth_max
            check_depth_apart(body, self._texts_of, siblings=len(pieces), depth_max=depth_max)
        else:
            check_depth(body, pieces, depth_max=limits.json_depth_max)
        if accepted.envelope is not NO_ENVELOPE:
            check_shared(accepted.envelope.context, accepted.count, limits)
        if is_large:
            check_sizes(self._bodies.split(body).raws, limits)
        return accepted

    def _is_doubtful(self, plain: "_Plain", body: bytes) -> bool:
        """Whether there are too few or too many events, or too many members to take apart."""
        if not 0 < len(plain.pieces) <= self._events_max:
            return True
        if len(body) <= MEMBERS_MAX:
            return False
        is_taken_apart = plain.has_unknown or not is_absent(plain.envelope.context)
        return is_taken_apart and _has_many_members(body)

    def _texts_of(self, body: bytes) -> list[bytes]:
        return [bytes(raw) for raw in self._bodies.split(body).raws]


class GoodEvents:
    """Takes the good events of a request and tells what is wrong with each of the others."""

    def __init__(self, bodies: BodyFormat) -> None:
        assert bodies.policy == "good events", "the dialect's table says otherwise"
        self._bodies = bodies
        self._events_max = bodies.events_max
        self._find_raws = event_finder(bodies, msgspec.Raw)
        self._read_plain = _PlainReader(bodies).read

    def decide(self, submission: Submission) -> Selection:
        """Decides about each event; raises ``InvalidInput`` for what is no single event's fault."""
        body, limits = submission.body, submission.limits
        if not is_sound(body):
            return self._judge_unsound(body, limits)
        plain = None
        if len(body) <= MEMBERS_MAX or body.count(b",") < MEMBERS_MAX:
            plain = self._read_plain(body)
        if plain is None or (
            len(body) > limits.event_bytes_max and self._has_large_event(body, limits)
        ):
            return self._judge(body, limits)
        pieces = plain.pieces
        if not 0 < len(pieces) <= self._events_max or plain.envelope is not NO_ENVELOPE:
            self._check_around(len(pieces), plain.envelope, limits)
        try:
            check_depth(body, pieces, depth_max=limits.json_depth_max)
        except InvalidInput:
            return self._judge(body, limits)  # one is too deep: the others are taken
        return Selection(len(pieces), _NONE_REFUSED)

    def _judge(self, body: bytes, limits: AdmissionLimits) -> Selection:
        """Judges the events of a body one by one."""
        items = self._bodies.split(body)
        self._check_around(len(items.raws), self._bodies.read_envelope(*items.beside), limits)
        return self._select(items, {}, limits)

    def _judge_unsound(self, body: bytes, limits: AdmissionLimits) -> Selection:
        """Judges the events of a body some of which may not be stored.

        Raises ``InvalidInput`` when that is not the fault of events alone.
        """
        mended, items = self._split_unsound(body)
        envelope = self._bodies.read_envelope(*items.beside)
        if items.levels_around > 1:
            check_beside(mended)
        self._check_around(len(items.raws), envelope, limits)
        return self._select(items, find_faulty(items.raws), limits)

    def _select(
        self, items: Items, faulty: Mapping[int, list[Problem]], limits: AdmissionLimits
    ) -> Selection:
        refused = find_refused(
            items.raws,
            self._bodies.fields,
            limits,
            levels_around=items.levels_around,
            faulty=faulty,
        )
        return Selection(len(items.raws) - len(refused), refused)

    def _has_large_event(self, body: bytes, limits: AdmissionLimits) -> bool:
        bytes_max = limits.event_bytes_max
        return any(len(bytes(raw)) > bytes_max for raw in self._find_raws(body)[0])

    def _check_around(self, count: int, envelope: Envelope, limits: AdmissionLimits) -> None:
        """Checks what is asked of a body besides its events."""
        self._bodies.check_count(count)
        if is_absent(envelope.context):
            return
        context = bytes(envelope.context)
        check_depth(context, [b""], depth_max=limits.json_depth_max, levels_around=1)
        check_shared(envelope.context, count, limits)

    def _split_unsound(self, body: bytes) -> tuple[bytes, Items]:
        """The mended body, and its events."""
        try:
            check_encoding(body)
        except InvalidInput:
            if not self._bodies.lines_max:
                raise
            mended = mend(body)
            items = self._lines_of(mended)
            if items is None:
                raise
            return mended, items
        mended = mend(body)
        return mended, self._bodies.split(mended)

    def _lines_of(self, body: bytes) -> Items | None:
        """The events of lines; None for a body of another shape."""
        try:
            items = self._bodies.split(body)
        except InvalidInput:
            return None
        return None if items.levels_around or len(items.raws) < 2 else items


class _SingleReader:
    """Decodes a body that is one event, as most are: without a look at its shape."""

    def __init__(self, bodies: BodyFormat) -> None:
        self._decode = decoder(checking_type(bodies.fields, forbid_unknown_fields=False))
        self._properties_of = properties_finder(bodies.fields)

    def read(self, body: bytes) -> tuple[Any, Sequence[bytes]] | None:
        """The event, and the text of its properties; None when it must be judged."""
        if len(body) >= FIELDS_MAX and body.count(b",") >= FIELDS_MAX:
            return None
        try:
            event = self._decode(body)
        except (msgspec.DecodeError, RecursionError):
            return None
        pieces = self._properties_of((event,))
        return None if pieces is None else (event, pieces)


class _Plain(msgspec.Struct, frozen=True, gc=False):
    """The events of a body, all of them plainly valid."""

    pieces: Sequence[bytes]
    """The text of each one's properties, as ``hygiene.check_depth`` takes it."""
    envelope: Envelope
    has_unknown: bool
    """Whether some may have unknown fields."""


class _PlainReader:
    """Decodes a body whole, which succeeds when its events are plainly valid."""

    def __init__(self, bodies: BodyFormat) -> None:
        fields = bodies.fields
        known = checking_type(fields, forbid_unknown_fields=True)
        any_fields = checking_type(fields, forbid_unknown_fields=False)
        self._find_raws = event_finder(bodies, msgspec.Raw)
        self._read_envelope = bodies.read_envelope
        self._find_known = event_finder(bodies, known)
        self._find_any = event_finder(bodies, any_fields)
        self._properties_of = properties_finder(fields)
        self._commas_min = max(0, sum(field.required for field in fields.values()) - 1)

    def read(self, body: bytes) -> _Plain | None:
        """The events of a body; None when they must be judged one by one."""
        if len(body) < FIELDS_MAX:
            return self._read_with(self._find_any, body, True)
        if len(body) < COMMAS_UNCOUNTED_BYTES and body.count(b",") < FIELDS_MAX:
            return self._read_with(self._find_any, body, True)
        plain = self._read_with(self._find_known, body, False)
        if plain is None:
            plain = self._read_with(self._find_any, body, True)
            if plain is not None and not self._has_few_fields(body, plain):
                return None
        return plain

    def _read_with(self, find: FindEvents, body: bytes, may_have_unknown: bool) -> _Plain | None:
        try:
            events, beside = find(body)
            pieces = self._properties_of(events)
            envelope = self._read_envelope(*beside) if beside else NO_ENVELOPE
        except (msgspec.DecodeError, RecursionError, InvalidInput):
            return None
        return None if pieces is None else _Plain(pieces, envelope, may_have_unknown)

    def _has_few_fields(self, body: bytes, plain: _Plain) -> bool:
        """Whether each event has as few as it may; their commas are counted, which is quicker."""
        commas_elsewhere = (len(plain.pieces) - 1) * self._commas_min
        if body.count(b",") - commas_elsewhere < FIELDS_MAX:
            return True
        raws, _ = self._find_raws(body)
        return all(bytes(raw).count(b",") < FIELDS_MAX for raw in raws)


def _has_many_members(body: bytes) -> bool:
    """Whether a body may hold more members than a request's events may make us take apart."""
    return len(body) > MEMBERS_MAX and body.count(b",") >= MEMBERS_MAX
