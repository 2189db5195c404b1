"""Forged and mangled tokens: none is taken, whatever it was forged with.

The kinds follow RFC 8725 and what libraries for JWTs got wrong (CVE-2015-9235, CVE-2018-0114,
CVE-2022-29217, CVE-2024-53861, CVE-2026-32597).
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.tokens.making import KEY, NOW_S, NOW_US, claims, pair, registry, token
from weir.errors import Unauthenticated
from weir.tokens import signature
from weir.tokens.memory import TokenMemory

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def b64(value: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def signed(header: object, payload: object, *, by: str = "signs") -> str:
    """Any header and payload, texts as they are, truly signed."""
    parts = [
        b64(part.encode() if isinstance(part, str) else json.dumps(part).encode())
        for part in (header, payload)
    ]
    return signature.sign(".".join(parts).encode(), pair(by).private)


def header(**changes: Any) -> dict[str, Any]:
    """A good header, changed; ``None`` leaves a member out."""
    made = {"alg": "RS256", "kid": pair().kid, "typ": "JWT"} | changes
    return {name: value for name, value in made.items() if value is not None}


def keyed(algorithm: str, secret: bytes) -> str:
    """HS256 with something public as its secret."""
    text = f"{b64(json.dumps(header(alg=algorithm)).encode())}.{b64(json.dumps(claims()).encode())}"
    mac = hmac.new(secret, text.encode(), hashlib.sha256).digest()
    return f"{text}.{b64(mac + bytes(256 - len(mac)))}"


def rejoined(change: Callable[[list[str]], object]) -> str:
    """A good token with a part changed."""
    parts = token().split(".")
    change(parts)
    return ".".join(parts)


def without_signature(algorithm: str, filling: str = "") -> str:
    """Unsigned; the payload is padded, so that it is long enough to be looked at."""
    payload = b64(json.dumps(claims(jti="j" * 300)).encode())
    return f"{b64(json.dumps(header(alg=algorithm)).encode())}.{payload}.{filling}"


def claimed(**changes: Any) -> Callable[[], str]:
    return lambda: signed(header(), claims(**changes))


def headed(**changes: Any) -> Callable[[], str]:
    return lambda: signed(header(**changes), claims())


def _swap(parts: list[str]) -> None:
    other = token(scopes=["query"]).split(".")
    parts[1] = other[1]


def _flip_last_bits(parts: list[str]) -> None:
    # 342 characters carry 2052 bits for 2048: the last four are nobody's.
    parts[2] = parts[2][:-1] + ALPHABET[ALPHABET.index(parts[2][-1]) ^ 1]


def _jwk() -> dict[str, str]:
    return signature.as_jwk("own", pair("stranger").public)


FORGED: dict[str, Callable[[], str]] = {
    # The algorithm.
    "alg none": lambda: without_signature("none"),
    "alg None": lambda: without_signature("None"),
    "alg NONE with a signature": lambda: without_signature("NONE", token().split(".")[2]),
    "alg none, truly signed": headed(alg="none"),
    "alg missing": headed(alg=None),
    "alg empty": headed(alg=""),
    "alg null": lambda: signed(header() | {"alg": None}, claims()),
    "alg in a list": headed(alg=["RS256"]),
    "alg rs256": headed(alg="rs256"),
    "alg RS512": headed(alg="RS512"),
    "alg PS256": headed(alg="PS256"),
    "alg ES256": headed(alg="ES256"),
    "HS256 with the public key in DER": lambda: keyed("HS256", pair().public),
    "HS256 with the public key in PEM": lambda: keyed(
        "HS256",
        b"-----BEGIN PUBLIC KEY-----\n"
        + base64.encodebytes(pair().public)
        + b"-----END PUBLIC KEY-----\n",
    ),
    "HS256 under the name RS256": lambda: keyed("RS256", pair().public),
    "HS256 with an empty secret": lambda: keyed("HS256", b""),
    # The key.
    "a stranger's key under our kid": lambda: signed(header(), claims(), by="stranger"),
    "a stranger's key and kid": lambda: token(by=pair("stranger")),
    "kid missing": headed(kid=None),
    "kid empty": headed(kid=""),
    "kid a number": headed(kid=1),
    "kid a path": headed(kid="../../../../dev/null"),
    "kid an SQL text": headed(kid="' UNION SELECT 'x"),
    "kid long": lambda: signed(header(kid="k" * 200), claims()),
    "kid with a NUL": headed(kid=pair().kid + "\0"),
    "jku": headed(jku="https://attacker.example/jwks.json"),
    "x5u": headed(x5u="https://attacker.example/chain.pem"),
    "x5c": headed(x5c=["MIIB"]),
    "jwk": lambda: signed(header(jwk={"kty": "RSA"}), claims(), by="stranger"),
    "jwk that fits the signature": lambda: signed(
        header(jwk={"kty": "RSA", "e": _jwk()["e"]}, kid=None), claims(), by="stranger"
    ),
    "crit": headed(crit=["exp"]),
    "crit unknown": lambda: signed(header(crit=["bork"], bork=True), claims()),
    "b64 false": lambda: signed(header(crit=["b64"], b64=False), claims()),
    "zip": headed(zip="DEF"),
    "enc": headed(enc="A256GCM"),
    # The type.
    "typ missing": headed(typ=None),
    "typ at+jwt": headed(typ="at+jwt"),
    "typ jwt": headed(typ="jwt"),
    "typ JOSE": headed(typ="JOSE"),
    "cty": headed(cty="JWT"),
    "header a list": lambda: signed([], claims()),
    "header a text": lambda: signed('"RS256"', claims()),
    # The claims.
    "iss missing": claimed(iss=None),
    "iss another": claimed(iss="https://attacker.example"),
    "iss a part of ours": claimed(iss="wei"),
    "aud missing": claimed(aud=None),
    "aud another": claimed(aud="edgemq"),
    "aud a part of ours": claimed(aud="we"),
    "aud a list": claimed(aud=["weir"]),
    "sub missing": claimed(sub=None),
    "sub unknown": claimed(sub="key_5"),
    "sub a number": claimed(sub=4),
    "sub the internal id": claimed(sub="4"),
    "sub the key's text": claimed(sub=KEY),
    "tenant missing": claimed(tenant=None),
    "tenant another": claimed(tenant="umbrella"),
    "scopes missing": claimed(scopes=None),
    "scopes empty": claimed(scopes=[]),
    "scopes two": claimed(scopes=["ingest", "query"]),
    "scopes a text": claimed(scopes="ingest"),
    "scopes unknown": claimed(scopes=["root"]),
    "scopes that the key lacks": claimed(scopes=["admin"]),
    "exp missing": claimed(exp=None),
    "exp past": claimed(iat=NOW_S - 900, exp=NOW_S - 1),
    "exp now": claimed(iat=NOW_S - 900, exp=NOW_S),
    "exp a text": claimed(exp=str(NOW_S + 900)),
    "exp a fraction": claimed(exp=NOW_S + 900.5),
    "exp negative": claimed(exp=-1),
    "exp endless": claimed(exp=2**63),
    "exp infinite": lambda: signed(
        header(), json.dumps(claims()).replace(str(NOW_S + 900), "Infinity")
    ),
    "exp beyond a day": claimed(exp=NOW_S + 86401),
    "exp before iat": claimed(iat=NOW_S + 20, exp=NOW_S + 10),
    "iat missing": claimed(iat=None),
    "iat ahead": claimed(iat=NOW_S + 31),
    "iat true": claimed(iat=True),
    "jti missing": claimed(jti=None),
    "jti empty": claimed(jti=""),
    "a claim too many": lambda: signed(header(), claims(admin=True)),
    "nbf": lambda: signed(header(), claims(nbf=NOW_S - 1)),
    "payload a list": lambda: signed(header(), [claims()]),
    "payload no JSON": lambda: signed(header(), "x" * 200),
    "payload no UTF-8": lambda: signature.sign(
        f"{b64(json.dumps(header()).encode())}.{b64(bytes([255]) * 200)}".encode(), pair().private
    ),
    # The text.
    "payload of another token": lambda: rejoined(_swap),
    "signature missing": lambda: rejoined(lambda parts: parts.__setitem__(2, "")),
    "signature of zeros": lambda: rejoined(lambda parts: parts.__setitem__(2, b64(bytes(256)))),
    "signature of ones": lambda: rejoined(
        lambda parts: parts.__setitem__(2, b64(bytes([255]) * 256))
    ),
    "signature short": lambda: rejoined(lambda parts: parts.__setitem__(2, parts[2][:-4])),
    "signature long": lambda: rejoined(lambda parts: parts.__setitem__(2, parts[2] + "AAAA")),
    "signature written otherwise": lambda: rejoined(_flip_last_bits),
    "signature padded": lambda: rejoined(lambda parts: parts.__setitem__(2, parts[2] + "==")),
    "signature in plain base64": lambda: rejoined(
        lambda parts: parts.__setitem__(2, "+/" + parts[2][2:])
    ),
    "spaces inside": lambda: rejoined(lambda parts: parts.__setitem__(2, parts[2] + " \t")),
    "five parts": lambda: token() + ".a.b",
    "two parts": lambda: token().rsplit(".", 1)[0] + "x" * 400,
    "header and payload changed over": lambda: rejoined(
        lambda parts: parts.__setitem__(slice(0, 2), parts[1::-1])
    ),
    "too long": lambda: signed(header(), claims(jti="j" * 64) | {"tenant": "t" * 600}),
    "not ASCII": lambda: "\xe9" + token(),
    "dots alone": lambda: "." * 600,
    "two dots among nothing": lambda: "A" * 300 + ".." + "A" * 300,
}


def test_forgeries_are_many_and_the_original_is_good() -> None:
    """So that what refuses them all does not refuse everything."""
    assert len(FORGED) >= 40
    good = signed(header(), claims())
    assert TokenMemory().authenticate_bearer(registry(), good, now_us=NOW_US).is_token


@pytest.mark.parametrize("kind", FORGED)
def test_forged_token_is_refused(kind: str) -> None:
    """As a key that is not known, and without a word of what it held."""
    text = FORGED[kind]()
    tokens = TokenMemory()
    tokens.authenticate_bearer(registry(), token(), now_us=NOW_US)
    with pytest.raises(Unauthenticated) as caught:
        tokens.authenticate_bearer(registry(), text, now_us=NOW_US)
    assert caught.value.status == 401
    assert "attacker" not in str(caught.value)


@settings(max_examples=100)
@given(st.data())
def test_token_with_one_character_changed_is_refused(draw: Any) -> None:
    """Wherever it is changed, also where base64 has bits to spare."""
    text = token()
    place = draw.draw(st.integers(0, len(text) - 1))
    other = draw.draw(st.sampled_from(ALPHABET + "."))
    if other == text[place]:
        return
    changed = text[:place] + other + text[place + 1 :]
    with pytest.raises(Unauthenticated):
        TokenMemory().authenticate_bearer(registry(), changed, now_us=NOW_US)


@settings(max_examples=100)
@given(st.text(min_size=1, max_size=300))
def test_no_text_is_more_than_refused(text: str) -> None:
    """Whatever stands behind Bearer, the answer is a 401."""
    for candidate in (text * 3, f"{token()[:500]}.{text}.{text}"):
        with pytest.raises(Unauthenticated):
            TokenMemory().authenticate_bearer(registry(), candidate, now_us=NOW_US)
