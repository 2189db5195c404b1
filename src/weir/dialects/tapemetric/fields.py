"""The fields of a Tapemetric event: the table, and the types that decode all of them at once."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from weir.dialects.fields import EVENT_ID_CHARS_MAX, Field, table
from weir.domain.event import ABSENT, Event

EVENT_TYPE_CHARS_MAX = 48
ID_CHARS_MAX = 128
TITLE_CHARS_MAX = 255
CONTENT_TYPES = ("series", "film", "live", "short")
PLANS = ("svod", "avod", "tvod", "free")

FIELDS = table(
    Field(
        "event_type", "event", "text", required=True, chars_min=1, chars_max=EVENT_TYPE_CHARS_MAX
    ),
    Field("event_id", "event_id", "text", chars_min=1, chars_max=EVENT_ID_CHARS_MAX),
    Field("ts", "ts", "time", required=True),
    Field("anonymous_id", "anonymous_id", "text", required=True, chars_min=1),
    Field("session_id", "session_id", "text", required=True, chars_min=1),
    Field("user_id", "user_id", "text", chars_max=ID_CHARS_MAX),
    Field("sent_at", "sent_at", "time", lenient=True),
    Field("context", "context", "object"),
    Field("properties", "properties", "object"),
    Field("content_id", "", "text", chars_max=ID_CHARS_MAX),
    Field("content_type", "", "text", choices=CONTENT_TYPES),
    Field("content_title", "", "text", chars_max=TITLE_CHARS_MAX),
    Field("season", "", "integer"),
    Field("episode", "", "integer"),
    Field("position_sec", "", "number"),
    Field("duration_sec", "", "number"),
    Field("bitrate_kbps", "", "integer"),
    Field("buffer_count", "", "integer"),
    Field("buffer_duration_ms", "", "integer"),
    Field("plan", "", "text", choices=PLANS),
    Field("revenue_inr", "", "number"),
)
KEPT = tuple(name for name, field in FIELDS.items() if not field.target)
"""Fields that the vendor knows and that stand in ``properties``."""

_Id = Annotated[str, msgspec.Meta(max_length=ID_CHARS_MAX)]
_Needed = Annotated[str, msgspec.Meta(min_length=1)]


class Checked(Event, kw_only=True):
    """An event as the door looks at it: nothing of it is kept."""

    event: Annotated[str, msgspec.Meta(min_length=1, max_length=EVENT_TYPE_CHARS_MAX)] = (
        msgspec.field(name="event_type")
    )
    event_id: Annotated[str, msgspec.Meta(min_length=1, max_length=EVENT_ID_CHARS_MAX)] | None = (
        None
    )
    ts: datetime
    anonymous_id: _Needed
    session_id: _Needed
    user_id: _Id | None = None
    content_id: _Id | None = None
    content_type: Literal["series", "film", "live", "short"] | None = None
    content_title: Annotated[str, msgspec.Meta(max_length=TITLE_CHARS_MAX)] | None = None
    season: int | None = None
    episode: int | None = None
    position_sec: float | None = None
    duration_sec: float | None = None
    bitrate_kbps: int | None = None
    buffer_count: int | None = None
    buffer_duration_ms: int | None = None
    plan: Literal["svod", "avod", "tvod", "free"] | None = None
    revenue_inr: float | None = None


class CheckedKnown(Checked, forbid_unknown_fields=True):
    """The same without unknown fields."""


class Kept(Event):
    """An event that was taken, as the loader reads it: values stay as they were sent."""

    event: str = msgspec.field(name="event_type")
    content_id: msgspec.Raw = ABSENT
    content_type: msgspec.Raw = ABSENT
    content_title: msgspec.Raw = ABSENT
    season: msgspec.Raw = ABSENT
    episode: msgspec.Raw = ABSENT
    position_sec: msgspec.Raw = ABSENT
    duration_sec: msgspec.Raw = ABSENT
    bitrate_kbps: msgspec.Raw = ABSENT
    buffer_count: msgspec.Raw = ABSENT
    buffer_duration_ms: msgspec.Raw = ABSENT
    plan: msgspec.Raw = ABSENT
    revenue_inr: msgspec.Raw = ABSENT


class KeptKnown(Kept, forbid_unknown_fields=True):
    """The same without unknown fields."""
