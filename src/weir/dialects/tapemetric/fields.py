"""The table of the fields of a Tapemetric event."""

from weir.dialects.fields import EVENT_ID_CHARS_MAX, Field, table

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
