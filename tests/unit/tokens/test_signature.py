"""Signing keys: how large new ones are, and that earlier ones go on working."""

from base64 import urlsafe_b64decode

from weir.tokens.signature import as_jwk, is_signed, make_pair, sign


def _modulus_chars(public: bytes) -> int:
    return len(as_jwk("kid", public)["n"])


def test_new_keys_have_3072_bits() -> None:
    """512 characters of base64url are exactly that many bits."""
    made = make_pair()
    assert _modulus_chars(made.public) == 512
    text = sign(b"header.claims", made.private)
    assert len(text.rpartition(".")[2]) == 512


def test_keys_of_2048_bits_go_on_signing_and_verifying() -> None:
    """Those that an earlier version made: beside new ones, each verifies its own."""
    old, new = make_pair(bits=2048), make_pair()
    for pair, other in ((old, new), (new, old)):
        signed, _, text = sign(b"header.claims", pair.private).rpartition(".")
        signature = _decoded(text)
        assert is_signed(signed.encode(), signature, pair.public)
        assert not is_signed(signed.encode(), signature, other.public)


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
