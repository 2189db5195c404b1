"""Errors: what every adapter relies on."""

from typing import Any

import msgspec
import pytest

from weir.errors import (
    KINDS,
    Failure,
    Forbidden,
    Internal,
    InvalidInput,
    LimitExceeded,
    Unavailable,
    WeirError,
    error_of,
    failure_of,
    kind_of_status,
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
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


def test_the_kinds_are_all_there_are() -> None:
    """A class that is not listed could not be told apart by those who catch."""
    assert set(WeirError.__subclasses__()) == set(KINDS)


def test_an_error_without_a_kind_cannot_be_made() -> None:
    """It would say nothing to whoever catches it."""
    with pytest.raises(TypeError):
        WeirError("Words.")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("wire", [msgspec.json, msgspec.msgpack])
def test_error_arrives_as_it_left(kind: type[WeirError], wire: Any) -> None:
    """Class, code, words, hint, details, the time to wait and the listed context cross a wire."""
    error = kind(
        "Words.",
        code="a_code",
        hint="Do this.",
        details=[{"field": "event", "index": 3}],
        retry_after_s=7,
        position=12,
        worker=5,
    )
    found = error_of(wire.decode(wire.encode(failure_of(error)), type=Failure))
    assert type(found) is kind
    assert vars(found) == vars(error) | {"context": {"position": 12}}


def test_what_refines_a_kind_arrives_as_that_kind() -> None:
    """The classes of one adapter are not known to every process; their code tells them apart."""

    class HeadersTooLarge(LimitExceeded):
        status = 431
        default_code = "headers_too_large"

    found = error_of(failure_of(HeadersTooLarge("Long.")))
    assert type(found) is LimitExceeded
    assert found.code == "headers_too_large"


def test_strange_kind_arrives_as_internal() -> None:
    """A newer process may know more kinds; nothing is retried by mistake."""
    found = error_of(Failure(kind="Novel", code="novel", message="Words."))
    assert type(found) is Internal
    assert found.code == "novel"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidInput),
        (403, Forbidden),
        (418, InvalidInput),
        (500, Internal),
        (504, Unavailable),
    ],
)
def test_status_tells_a_kind(status: int, kind: type[WeirError]) -> None:
    """A status that no kind has counts by its hundred."""
    assert kind_of_status(status) is kind
