"""Replies that several dialects share."""

import msgspec

from weir.dialects.replies import render_error
from weir.errors import Unavailable


def test_error_has_no_details_unless_there_are_some() -> None:
    """Two fields, or three."""
    assert msgspec.json.decode(render_error(Unavailable("No.")).body) == {
        "error": "unavailable",
        "message": "No.",
    }
