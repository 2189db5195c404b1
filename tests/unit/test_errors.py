"""Errors: what every adapter relies on."""

import pytest

from weir.errors import Unavailable, WeirError


@pytest.mark.parametrize("kind", WeirError.__subclasses__(), ids=lambda kind: kind.__name__)
def test_error_has_a_status_and_a_code(kind: type[WeirError]) -> None:
    """Each kind answers with an HTTP error status and a stable code."""
    error = kind("Words.")
    assert 400 <= error.status < 600
    assert error.code == kind.default_code


def test_error_shows_words_and_hint() -> None:
    """Printing an error says what happened and what to do."""
    error = Unavailable("Not ready.", hint="Try again.", retry_after_s=1, worker=3)
    assert str(error) == "Not ready. Try again."
    assert error.context == {"worker": 3}
    assert error.retry_after_s == 1


def test_code_may_be_more_precise_than_its_kind() -> None:
    """A code of its own replaces the kind's."""
    assert Unavailable("No.", code="overloaded").code == "overloaded"


def test_kept_error_holds_nothing_that_it_came_through() -> None:
    """Neither the calls nor the error before it, whose frames hold what was worked on."""
    error = Unavailable("second", hint="kept")
    error.__context__ = ValueError("first")
    with pytest.raises(Unavailable):
        raise error
    assert error.without_frames() is error
    assert not error.__traceback__
    assert not error.__context__
    assert str(error) == "second kept"
