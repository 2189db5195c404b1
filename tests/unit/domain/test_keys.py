"""API keys: their text and its checksum."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.domain.keys import ALPHABET, digest_of, is_mistyped, make_key, make_key_id

keys = st.builds(
    make_key, public=st.booleans(), live=st.booleans(), random=st.binary(min_size=24, max_size=40)
)


@pytest.mark.parametrize(
    ("public", "live", "prefix"),
    [
        (True, True, "pk_live_"),
        (True, False, "pk_test_"),
        (False, True, "sk_live_"),
        (False, False, "sk_test_"),
    ],
)
def test_key_tells_its_kind_and_mode(public: bool, live: bool, prefix: str) -> None:
    """A person sees from the text what a key is for."""
    text = make_key(public=public, live=live, random=bytes(range(24)))
    assert re.fullmatch(prefix + r"[0-9A-Za-z]{36}", text)


@given(keys)
def test_own_key_is_never_mistyped(text: str) -> None:
    """Every key that we make passes its own checksum."""
    assert not is_mistyped(text)


@given(keys, st.integers(0, 35), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_noticed(text: str, place: int, character: str) -> None:
    """A key with one character changed is told from an unknown one."""
    at = len("pk_live_") + place
    if text[at] != character:
        assert is_mistyped(text[:at] + character + text[at + 1 :])


@given(keys, st.integers(0, 34))
def test_two_swapped_neighbours_are_noticed(text: str, place: int) -> None:
    """The commonest slip of a hand is told from an unknown key."""
    at = len("pk_live_") + place
    swapped = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    assert is_mistyped(swapped) == (swapped != text)


@given(keys, st.integers(1, 36))
def test_truncated_key_is_mistyped(text: str, missing: int) -> None:
    """A key that was not copied whole is noticed."""
    assert is_mistyped(text[:-missing])


@given(st.text(max_size=600))
def test_imported_text_is_never_called_mistyped(text: str) -> None:
    """Keys made elsewhere carry no checksum of ours; any text can be looked at and looked up."""
    if not re.match("(pk|sk)_(live|test)_", text):
        assert not is_mistyped(text)
    assert len(digest_of(text)) == 32


def test_different_random_bytes_give_different_keys() -> None:
    """All 178 bits that are used count."""
    made = {make_key(public=True, live=True, random=bit.to_bytes(24, "big")) for bit in range(200)}
    assert len(made) == 200


def test_key_id_names_without_opening() -> None:
    """An id has a form of its own, so that nobody takes it for a key."""
    assert re.fullmatch(r"key_[0-9A-Za-z]{16}", make_key_id(bytes(12)))
