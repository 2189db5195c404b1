"""The intake: a body of events becomes a frame in the journal, whatever door it came through.

A door (HTTP now) finds the route and the sender, and hands both in with an ``Arrival``: the body,
and the request that waits for what becomes of it. Here stands what is alike for every door: limits
and overload, inflating, the order in which tenants are served, the dialect's decision
(``dialects.port``, pure), the counts, and the frame. The arrival gets its answer once the frame is
durable, or at once when nothing is written.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from weir.dialects.hygiene import BYTE_ORDER_MARK
from weir.dialects.port import RateWindow, Submission
from weir.domain.frame import Draft, Waiter
from weir.errors import Internal, Unavailable, WeirError
from weir.ingest.counters import NO_WAITER
from weir.ingest.encodings import ADMIT_ON_LOOP_BYTES_MAX, inflate, inflate_small
from weir.ingest.fair_queue import FairQueue
from weir.ingest.in_flight import UNKNOWN_SENDER, BodyInFlight, overloaded
from weir.ingest.offload import Offload
from weir.telemetry import Happening, emit

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Generator

    from weir.clock import Clock
    from weir.dialects.port import Admission, AdmissionLimits, IngestRoute, Reply
    from weir.ingest.allowances import Allowances
    from weir.ingest.authentication import Sender
    from weir.ingest.counters import Counters
    from weir.ingest.in_flight import InFlightBudget

QUEUED_BYTES_MIN = 8192
"""Size above which deciding takes long enough (some 50 µs) to wait for the tenant's turn."""


class Journal(Protocol):
    """What the intake needs of the journal's writer."""

    def append(self, draft: Draft, waiter: Waiter) -> None: ...


class Arrival(BodyInFlight, Waiter, Protocol):
    """A body of events on its way in, and who waits for what becomes of it."""

    reply: Reply | None
    """What is answered once the frame is durable."""
    window: RateWindow | None
    """The window that its sender is told of."""
    flags: int
    """``FrameFlag`` bits of its frame."""
    in_backfill: bool
    """Whether it is in no hurry (see ``backfill``)."""

    @property
    def content_type(self) -> bytes | None:
        """What its sender calls the body; None: nothing."""
        ...

    def defer(self) -> None:
        """Keeps what its sender sends behind it waiting, in order: it is decided later."""
        ...

    def resume(self) -> None:
        """Ends what ``defer`` began, before it is decided."""
        ...

    def let_next(self) -> None:
        """Lets what its sender sent behind it go on: it is decided."""
        ...

    def answer(self, reply: Reply) -> None:
        """Tells its sender what became of it, now."""
        ...

    def refuse(self, error: WeirError) -> None:
        """Tells its sender that nothing of it was taken, and why."""
        ...


class IntakeTerms(NamedTuple):
    """What every body is taken on: limits in bytes and levels, and who takes it."""

    admission: AdmissionLimits
    inflated_bytes_max: int
    worker: str
    """Random text that names the worker since its start."""


class Intake:
    """One worker's bodies of events, from all of its doors."""

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        clock: Clock,
        journal: Journal,
        allowances: Allowances,
        counters: Counters,
        in_flight: InFlightBudget,
        terms: IntakeTerms,
    ) -> None:
        self._now_us = clock.now_us
        self._journal = journal
        self._allowances = allowances
        self._counters = counters
        self._in_flight = in_flight
        self._terms = terms
        self._offload: Offload[_Decided | WeirError] = Offload(loop)
        self._queue = FairQueue(loop)
        self._submitted_count = 0

    def tick(self) -> None:
        """Looks at disk, backlog and month, and hands the counts on; called once a second."""
        self._allowances.tick(self._now_us())
        self._in_flight.tidy()
        self._counters.hand_on(self._append_tally)

    def begin(self, arrival: Arrival, route: IngestRoute, sender: Sender, *, now_us: int) -> None:
        """Counts a request before its body is looked at; raises the ``WeirError`` that refuses it.

        The body is the sender's from now on, once it matters whose the bytes in flight are.
        """
        budget = self._in_flight
        if arrival.tenant_id == UNKNOWN_SENDER:
            budget.identify(arrival, sender.place.tenant_id)
        if budget.bytes_in_flight > budget.watched_bytes and not arrival.tenant_id:
            budget.claim(arrival, sender.place.tenant_id)
        arrival.window = self._allowances.count_request(
            sender, route, in_backfill=arrival.in_backfill, now_us=now_us
        )

    def take(
        self, arrival: Arrival, route: IngestRoute, sender: Sender, body: bytes, encoding: str
    ) -> None:
        """Decides about a body that has begun; the arrival is answered, now or later.

        Raises the ``WeirError`` that refuses it at once, for ``refuse``.
        """
        small = body if encoding == "identity" else inflate_small(encoding, body)
        if small is None or len(small) > ADMIT_ON_LOOP_BYTES_MAX:
            self._decide_in_thread(arrival, route, sender, body, encoding)
            return
        if small is not body:
            self._count_inflated(arrival, sender, small)
        small = _text_of(route, small)
        if len(small) > QUEUED_BYTES_MIN and not self._queue.claim():
            self._decide_in_turn(arrival, route, sender, small)
            return
        self._store(arrival, route, sender, small, route.admit(self._submission(arrival, small)))

    def refuse(
        self, arrival: Arrival, route: IngestRoute, sender: Sender, error: WeirError
    ) -> None:
        """Counts the events that an error refuses, and answers with it and the sender's window."""
        window = error.context.get("window")
        if isinstance(window, RateWindow):
            arrival.window = window
        refused = error.context.get("refused_count", 1)
        self._count_refused(route, sender, refused if isinstance(refused, int) else 1)
        self._tell_window(arrival, route, sender)
        arrival.refuse(error)

    def _decide_in_turn(
        self, arrival: Arrival, route: IngestRoute, sender: Sender, body: bytes
    ) -> None:
        def go_on() -> None:
            with self._resumed(arrival, route, sender):
                admission = route.admit(self._submission(arrival, body))
                self._store(arrival, route, sender, body, admission)

        arrival.defer()
        self._queue.wait(sender.place.tenant_id, go_on)

    def _decide_in_thread(
        self, arrival: Arrival, route: IngestRoute, sender: Sender, body: bytes, encoding: str
    ) -> None:
        def go_on(done: asyncio.Future[_Decided | WeirError]) -> None:
            with self._resumed(arrival, route, sender):
                decided = done.result()
                if isinstance(decided, WeirError):
                    self.refuse(arrival, route, sender, decided)
                    return
                if decided.body is not body:
                    self._count_inflated(arrival, sender, decided.body)
                self._store(arrival, route, sender, decided.body, decided.admission)

        arrival.defer()
        submission = self._submission(arrival, body)
        self._offload.run(
            sender.place.tenant_id,
            partial(_decide, route, submission, encoding, bytes_max=self._terms.inflated_bytes_max),
            go_on,
        )

    @contextmanager
    def _resumed(self, arrival: Arrival, route: IngestRoute, sender: Sender) -> Generator[None]:
        """Answers whatever a deferred decision ends with, and lets the sender's next one go on."""
        arrival.resume()
        try:
            yield
        except WeirError as error:
            self.refuse(arrival, route, sender, error)
        except Exception as error:  # a bug must not leave the sender waiting
            emit(Happening.REQUEST_FAILED, reason=type(error).__name__)
            arrival.refuse(Internal("The node failed to handle this request."))
        finally:
            arrival.let_next()

    def _submission(self, arrival: Arrival, body: bytes) -> Submission:
        self._submitted_count += 1
        terms = self._terms
        return Submission(
            body, terms.admission, terms.worker, self._submitted_count, arrival.content_type
        )

    def _count_inflated(self, arrival: Arrival, sender: Sender, body: bytes) -> None:
        """Counts a body that inflating made larger, until it is on disk; ``Unavailable``."""
        if not arrival.tenant_id:
            self._in_flight.claim(arrival, sender.place.tenant_id)
        if not self._in_flight.reserve(len(body), arrival.tenant_id):
            raise overloaded()
        arrival.body_bytes += len(body)

    def _store(
        self,
        arrival: Arrival,
        route: IngestRoute,
        sender: Sender,
        body: bytes,
        admission: Admission,
    ) -> None:
        taken, refused = admission.event_count, admission.refused_count
        if not taken:
            self._count_refused(route, sender, refused)
            self._tell_window(arrival, route, sender)
            arrival.answer(admission.reply)
            return
        if sender.is_metered or sender.quota or route.rates:
            window = self._allowances.count_events(sender, route, taken, now_us=self._now_us())
            arrival.window = arrival.window or window
        dialect = route.dialect
        draft = Draft(
            sender.place,
            dialect.code,
            route.dialect_version,
            taken,
            refused,
            arrival.flags,
            admission.meta,
            admission.body or body,
        )
        arrival.reply = admission.reply
        self._journal.append(draft, arrival)
        self._allowances.note_taken(sender, taken, len(body), in_backfill=arrival.in_backfill)
        self._counters.count_taken(dialect.name, taken, refused, body_bytes=len(body))

    def _count_refused(self, route: IngestRoute, sender: Sender, events: int) -> None:
        self._counters.count_refused(
            route.dialect.name,
            key_id=sender.principal.key_id,
            events=events,
            now_us=self._now_us(),
        )

    def _tell_window(self, arrival: Arrival, route: IngestRoute, sender: Sender) -> None:
        """Shows the sender's window also with an answer to events that were not counted."""
        if arrival.window is None:
            arrival.window = self._allowances.window_of(sender, route, now_us=self._now_us())

    def _append_tally(self, draft: Draft) -> None:
        try:
            self._journal.append(draft, NO_WAITER)
        except Unavailable as error:  # the journal has died: the worker is about to end
            NO_WAITER.failed(error)


class _Decided(NamedTuple):
    """A body that was inflated, and what its dialect decided."""

    body: bytes
    admission: Admission


def _decide(
    route: IngestRoute, submission: Submission, encoding: str, *, bytes_max: int
) -> _Decided | WeirError:
    """Inflates a body and has its dialect decide; an error is returned, not raised."""
    try:
        body = _text_of(route, inflate(encoding, submission.body, bytes_max=bytes_max))
        return _Decided(body, route.admit(msgspec.structs.replace(submission, body=body)))
    except WeirError as error:
        # Raised across threads it would keep what was inflated until the collector comes.
        return error.without_frames()


def _text_of(route: IngestRoute, body: bytes) -> bytes:
    """The body without a byte order mark, which is no part of JSON; a reader may pass over it.

    (RFC 8259 section 8.1; .NET and PowerShell write one.) Opaque bodies are left as they are.
    """
    return body if route.is_opaque else body.removeprefix(BYTE_ORDER_MARK)
