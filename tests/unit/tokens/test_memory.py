"""A good token acts for its key until either ends, and its signature is checked once."""

import subprocess
import sys
from typing import Any

import msgspec
import pytest

from tests.unit.tokens.making import KEY, NOW_S, NOW_US, pair, registry, token
from weir.domain.keys import Scope
from weir.domain.registry import Registry, TokenKey
from weir.errors import Forbidden, Unauthenticated
from weir.tokens import memory, signature
from weir.tokens.memory import TokenMemory


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What signatures were checked of."""
    seen: list[bytes] = []
    check = signature.is_signed

    def noted(signed: bytes, *rest: bytes) -> bool:
        seen.append(signed)
        return check(signed, *rest)

    monkeypatch.setattr(signature, "is_signed", noted)
    return seen


def _ask(
    text: str, known: Registry, now_us: int = NOW_US, tokens: TokenMemory | None = None
) -> Any:
    return (tokens or TokenMemory()).authenticate_bearer(known, text, now_us=now_us)


def test_token_acts_for_its_key_with_its_one_scope() -> None:
    """Place, slot, limits, networks and origins are the key's; the end is the nearer one."""
    known = registry(expires_at_us=NOW_US * 2)
    [key] = known.keys.values()
    found = _ask(token(), known)
    assert found == msgspec.structs.replace(
        key,
        scopes=frozenset({"ingest"}),
        expires_at_us=(NOW_S + 900) * 1_000_000,
        is_token=True,
    )
    assert _ask(token(), registry(expires_at_us=NOW_US + 5)).expires_at_us == NOW_US + 5


def test_signature_is_checked_once_in_an_epoch(checks: list[bytes]) -> None:
    """Then the token is known by its SHA-256, until the registry changes."""
    tokens = TokenMemory()
    for _ in range(3):
        _ask(token(), registry(), tokens=tokens)
    assert len(checks) == 1
    _ask(token(), registry(epoch=8), tokens=tokens)
    assert len(checks) == 2


def test_garbage_does_not_load_the_library() -> None:
    """A door that no token of its node has come to has not paid for verifying one."""
    unknown = token(by=pair("stranger"))
    program = """
import sys
import weir.ingest.http.door, weir.dialects.table, weir.server.edge
from weir.domain.registry import Registry
from weir.errors import Unauthenticated
from weir.tokens.memory import TokenMemory
texts = ["a-key-that-nobody-knows", "x" * 300 + "." + "y" * 300 + ".z", *sys.argv[1:]]
for text in texts:
    try:
        TokenMemory().authenticate_bearer(Registry(1, {}, {}, {}, {}), text, now_us=1)
    except Unauthenticated as error:
        print(error)
print([name for name in sys.modules if name.startswith("cryptography")])
"""
    command = [sys.executable, "-c", program, unknown]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.splitlines() == [
        "The API key is unknown or revoked.",
        "The access token is not valid.",
        "The access token is not valid.",
        "[]",
    ]


def test_known_token_ends_to_the_second() -> None:
    """The last good moment is the one before ``exp``, whether it is known already or not."""
    end_us = (NOW_S + 900) * 1_000_000
    tokens = TokenMemory()
    for memory_used in (tokens, tokens, TokenMemory()):
        _ask(token(), registry(), end_us - 1, memory_used)
        with pytest.raises(Unauthenticated, match="access token has expired"):
            _ask(token(), registry(), end_us, memory_used)


def test_token_dies_with_its_key() -> None:
    """Revoked, expired, its tenant inactive: at once, as the key itself."""
    tokens = TokenMemory()
    _ask(token(), registry(), tokens=tokens)
    revoked = msgspec.structs.replace(registry(epoch=8), keys={})
    with pytest.raises(Unauthenticated, match="unknown or revoked"):
        _ask(token(), revoked, tokens=tokens)
    with pytest.raises(Unauthenticated, match="expired"):
        _ask(token(), registry(epoch=9, expires_at_us=NOW_US), tokens=tokens)
    with pytest.raises(Forbidden) as caught:
        _ask(token(), registry(epoch=10, active=False), tokens=tokens)
    assert caught.value.code == "tenant_inactive"


def test_old_key_verifies_until_its_end() -> None:
    """Two keys are good at once while they overlap; then only the newer one."""
    ends_at_us = NOW_US + 60_000_000
    newer = pair("newer")
    known = msgspec.structs.replace(
        registry(),
        token_keys={
            pair().kid: TokenKey(public=pair().public, ends_at_us=ends_at_us),
            newer.kid: TokenKey(public=newer.public),
        },
    )
    for moment in (NOW_US, ends_at_us - 1):
        _ask(token(), known, moment)
        _ask(token(by=newer), known, moment)
    with pytest.raises(Unauthenticated):
        _ask(token(), known, ends_at_us)
    _ask(token(by=newer), known, ends_at_us)


def test_clock_that_is_ahead_a_little_is_forgiven() -> None:
    """Half a minute; not more."""
    _ask(token(iat=NOW_S + 30), registry())
    with pytest.raises(Unauthenticated, match="not valid yet"):
        _ask(token(iat=NOW_S + 31), registry())


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch, checks: list[bytes]) -> None:
    """At its bound it starts anew."""
    monkeypatch.setattr(memory, "TOKENS_MAX", 2)
    tokens = TokenMemory()
    texts = [token(jti=f"j{number}") for number in range(3)]
    for text in [*texts, texts[0]]:
        _ask(text, registry(), tokens=tokens)
    assert len(checks) == 4
    _ask(texts[2], registry(), tokens=tokens)
    assert len(checks) == 4


def test_key_behind_bearer_is_a_key() -> None:
    """The two cannot be taken for each other: a token is longer than any key."""
    assert not _ask(KEY, registry()).is_token
    assert len(token(sub="k", tenant="t", jti="j")) > 512


def test_token_in_the_header_of_keys_is_refused() -> None:
    """A token stands behind Bearer alone; no credential is nobody."""
    tokens = TokenMemory()
    good = token()
    for authorization, api_key, is_good in (
        (f"Bearer {good}", None, True),
        (f"Bearer {good}", "no key", True),
        (f"bearer {KEY}", None, True),
        (None, KEY, True),
        (None, good, False),
        ("Basic eA==", good, False),
    ):
        options = {"authorization": authorization, "api_key": api_key, "now_us": NOW_US}
        if is_good:
            assert tokens.find(registry(), **options)  # type: ignore[arg-type]  # by name
            continue
        with pytest.raises(Unauthenticated):
            tokens.find(registry(), **options)  # type: ignore[arg-type]  # by name
    assert tokens.find(registry(), authorization=None, api_key=None, now_us=NOW_US) is None


def test_token_lacks_every_other_scope() -> None:
    """Even those that its key has."""
    found = _ask(token(scopes=["query"]), registry())
    with pytest.raises(Forbidden, match="access token lacks the scope 'ingest'"):
        found.require(Scope.INGEST)
