"""What the door and a dialect say to each other.

A dialect's ``admit`` is pure: a ``Submission`` in, an ``Admission`` out, or a ``WeirError``. It
reads no clock and no disk; limits come from the settings.
"""

from collections.abc import Callable, Mapping

import msgspec

from weir.dialects.credential_finders import ANY_ROUTE, CredentialFinder, Headers
from weir.dialects.shapes import BodyFormat
from weir.domain.event import Dialect
from weir.errors import LimitExceeded, WeirError


class BodyTooLarge(LimitExceeded):
    """A body, as received or inflated, or one event of it, is over its limit."""

    status = 413
    default_code = "payload_too_large"


class RateLimits(msgspec.Struct, frozen=True):
    """Limits for what key, tenant and plan leave open, the node's or a dialect's; 0 is none."""

    requests: int = 0
    """Requests of one key in a window."""
    events: int = 0
    """Events in a window of those keys of a tenant that have no number of their own."""


class RateWindow(msgspec.Struct, frozen=True):
    """What one window looks like to the client that is counted in it."""

    limit: int
    remaining: int
    reset_s: int
    """Unix time at which the window ends."""


class AdmissionLimits(msgspec.Struct, frozen=True):
    """The limits that admission checks, in bytes and levels."""

    event_bytes_max: int
    json_depth_max: int
    shared_bytes_max: int
    """Size of a shared context times the events of its request."""


class Submission(msgspec.Struct, frozen=True):
    """A request that reached its dialect: authenticated, received whole, inflated."""

    body: bytes
    limits: AdmissionLimits
    worker: str
    """Random text that names the worker since its start."""
    number: int
    """How many submissions the worker had made, with this one."""
    content_type: bytes | None = None
    """What the client calls the body; most dialects do not ask."""

    @property
    def batch_id(self) -> str:
        """The id of this batch, for replies that carry one."""
        return f"b_{self.worker}{self.number:08x}"


class Reply(msgspec.Struct, frozen=True):
    """Status and JSON body of an answer; the door adds the headers."""

    status: int
    body: bytes


class Health(msgspec.Struct, frozen=True):
    """How a node is at one moment."""

    parts: Mapping[str, bool]
    """Whether each part of the node is there, by name."""
    is_draining: bool
    """Whether the node is stopping."""
    now_us: int

    @property
    def is_ready(self) -> bool:
        """Whether the node takes events and answers queries."""
        return all(self.parts.values()) and not self.is_draining


class Admission(msgspec.Struct, frozen=True):
    """What was decided: how many events are taken and refused, and the answer.

    Nothing is written, and the answer leaves at once, when ``event_count`` is 0.
    """

    event_count: int
    refused_count: int
    meta: bytes
    reply: Reply
    body: bytes | None = None
    """What is written instead of the body: the same events without the key that stood by them."""


Admit = Callable[[Submission], Admission]
RenderError = Callable[[WeirError], Reply]
RenderHealth = Callable[[Health], Reply]
"""The node's health in the vendor's words."""

ReadBody = Callable[[bytes, bytes], bytes]
"""The body of a request's events from its target and the body that came; may raise."""


Takes = Callable[[Headers, bytes], bool]
"""Decides by the headers, and by the public id of the endpoint that the request names, if any."""


class IngestRoute(msgspec.Struct, frozen=True):
    """One ingest path of a dialect; it answers its methods and preflights.

    A path may have several routes: the first in the table of dialects that takes a request gets it.
    """

    path: str
    """The path as a request has it; ``{id}`` in it is the public id of an endpoint."""
    dialect: Dialect
    dialect_version: int
    admit: Admit
    render_error: RenderError
    bodies: BodyFormat | None
    """What its bodies hold; None: whatever bytes they are."""
    methods: tuple[bytes, ...] = (b"POST",)
    takes: Takes | None = None
    """Whether a request on the path is this route's; None: each that no other route takes."""
    credentials: tuple[CredentialFinder, ...] = ANY_ROUTE
    """Where its credential may stand, tried in this order."""
    read_body: ReadBody | None = None
    """Where events may also stand in the target; None: they are the body."""
    rates: RateLimits | None = None
    """The dialect's own limits per minute, for whom nobody has said anything."""

    @property
    def is_opaque(self) -> bool:
        """Whether a body is taken as whatever bytes it is; else it is text."""
        return self.bodies is None
