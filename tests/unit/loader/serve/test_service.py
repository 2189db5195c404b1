"""The loader's socket answers whatever the wire can ask."""

from typing import get_args

from weir.loader.serve.service import ANSWERS
from weir.loader.serve.wire import Request


def test_every_type_of_request_has_an_answer() -> None:
    """One that is new on the wire stands in the table."""
    assert set(ANSWERS) == set(get_args(Request))
