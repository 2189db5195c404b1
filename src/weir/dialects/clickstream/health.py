"""``GET /health`` as clickstream's clients ask it: 503 while a part is missing, or the node stops.

Source: seed 003 and spec/ingest.md section 6.
"""

from weir.dialects.port import Health, Reply
from weir.dialects.replies import encode_reply
from weir.domain.times import SECOND_US, to_datetime


def render_health(health: Health) -> Reply:
    """``{"status", "timestamp", …}`` with every part of the node, to the second."""
    value = {
        "status": "healthy" if health.is_ready else "unhealthy",
        "timestamp": to_datetime(health.now_us // SECOND_US * SECOND_US),
        **health.parts,
    }
    return encode_reply(200 if health.is_ready else 503, value)
