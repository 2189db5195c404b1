"""What a clickstream event and batch hold: tables of their fields, and the same as wire types.

The wire types take what most clients send; where they balk the tables decide. ``Click`` is for the
door, which only asks whether an event is valid, ``Kept`` for the loader, which keeps texts.
"""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Annotated, Literal

import msgspec

from weir.dialects.fields import EVENT_ID_CHARS_MAX, Field, table
from weir.domain.event import ABSENT, Event

DEVICE_TYPES = ("mobile", "desktop", "tablet")
PLATFORMS = ("ios", "android", "web")
NETWORK_TYPES = ("wifi", "cellular", "unknown")
OBJECTS = (
    "content",
    "behavior",
    "performance",
    "location",
    "commerce",
    "interaction",
    "extras",
)


def _needed(name: str, target: str = "", *, chars_max: int | None = None) -> Field:
    return Field(
        name,
        target,
        "text",
        required=True,
        chars_min=1,
        chars_max=chars_max,
        empty_code="validation.required",
    )


FIELDS = table(
    _needed("event_id", "event_id", chars_max=EVENT_ID_CHARS_MAX),
    _needed("event_type"),
    _needed("event_name", "event"),
    Field("event_time", "ts", "time", required=True),
    _needed("user_id", "user_id"),
    _needed("session_id", "session_id"),
    _needed("page_name"),
    Field("element_id", "", "text"),
    Field("referrer", "", "text"),
    Field("device_type", "", "text", choices=DEVICE_TYPES),
    Field("platform", "", "text", choices=PLATFORMS),
    Field("app_version", "", "text"),
    Field("network_type", "", "text", choices=NETWORK_TYPES),
    *(Field(name, "", "object") for name in OBJECTS),
    Field("experiments", "", "labels"),
    Field("sent_at", "sent_at", "time", lenient=True),
)

BATCH_FIELDS = table(
    _needed("batchId"),
    Field("sentAt", "", "time", required=True),
    Field("clientInfo", "", "object", required=True),
)

CLIENT_FIELDS = table(_needed("sdkVersion"), _needed("deviceId"), _needed("appBuild"))


_Text = Annotated[str, msgspec.Meta(min_length=1)]
_EventId = Annotated[str, msgspec.Meta(min_length=1, max_length=EVENT_ID_CHARS_MAX)]


class _Object(msgspec.Struct, gc=False):
    """Any JSON object; nothing of it is kept."""


class Click(msgspec.Struct):
    """A valid event, as far as the door needs to know it."""

    event_id: _EventId
    event_type: _Text
    event_name: _Text
    event_time: datetime
    user_id: _Text
    session_id: _Text
    page_name: _Text
    element_id: str | None = None
    referrer: str | None = None
    device_type: Literal["mobile", "desktop", "tablet"] | None = None
    platform: Literal["ios", "android", "web"] | None = None
    app_version: str | None = None
    network_type: Literal["wifi", "cellular", "unknown"] | None = None
    content: _Object | None = None
    behavior: _Object | None = None
    performance: _Object | None = None
    location: _Object | None = None
    commerce: _Object | None = None
    interaction: _Object | None = None
    extras: _Object | None = None
    experiments: list[str] | _Object | None = None


class KnownClick(Click, forbid_unknown_fields=True):
    """The same without unknown fields."""


class ClientInfo(msgspec.Struct, rename="camel"):
    """Who sends a batch."""

    sdk_version: _Text
    device_id: _Text
    app_build: _Text


class Batch(msgspec.Struct, rename="camel"):
    """A valid batch; its ``client_info`` is to be looked at apart."""

    batch_id: _Text
    sent_at: datetime
    client_info: msgspec.Raw
    events: Sequence[Click]


class KnownBatch(Batch):
    """The same, of events without unknown fields."""

    events: Sequence[KnownClick]


class BatchParts(msgspec.Struct, rename="camel"):
    """A batch of which nothing is known but that it is an object."""

    batch_id: msgspec.Raw = ABSENT
    sent_at: msgspec.Raw = ABSENT
    client_info: msgspec.Raw = ABSENT
    events: msgspec.Raw = ABSENT


class BatchTexts(msgspec.Struct):
    """The events of a valid batch, as texts."""

    events: list[msgspec.Raw]


class _Rest(msgspec.Struct, omit_defaults=True):
    """The fields that are not canonical, as texts."""

    event_type: msgspec.Raw = ABSENT
    page_name: msgspec.Raw = ABSENT
    element_id: msgspec.Raw = ABSENT
    referrer: msgspec.Raw = ABSENT
    device_type: msgspec.Raw = ABSENT
    platform: msgspec.Raw = ABSENT
    app_version: msgspec.Raw = ABSENT
    network_type: msgspec.Raw = ABSENT
    content: msgspec.Raw = ABSENT
    behavior: msgspec.Raw = ABSENT
    performance: msgspec.Raw = ABSENT
    location: msgspec.Raw = ABSENT
    commerce: msgspec.Raw = ABSENT
    interaction: msgspec.Raw = ABSENT
    extras: msgspec.Raw = ABSENT
    experiments: msgspec.Raw = ABSENT


class Kept(_Rest, forbid_unknown_fields=True, kw_only=True):
    """An event without unknown fields that the door took, for the loader."""

    event_id: str
    event_name: str
    event_time: datetime
    user_id: str
    session_id: str

    def event(self) -> Event:
        """The canonical event, everything else in its properties."""
        rest = _Rest(*_rest_of(self))
        return Event(
            event=self.event_name,
            event_id=self.event_id,
            user_id=self.user_id,
            session_id=self.session_id,
            ts=self.event_time,
            properties=msgspec.Raw(_encode(rest)),
        )


class KeptBatch(msgspec.Struct, rename="camel"):
    """A batch that the door took."""

    batch_id: str
    sent_at: datetime
    client_info: msgspec.Raw
    events: list[Kept]


_rest_of = attrgetter(*_Rest.__struct_fields__)
_encode = msgspec.json.Encoder().encode
