"""What a clickstream event, a batch and its client hold: the tables of their fields."""

from weir.dialects.fields import EVENT_ID_CHARS_MAX, Field, table

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
