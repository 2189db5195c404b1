"""HTTP to a node, and its answers as Weir's own errors."""

import ssl

import httpx
import msgspec

from weir import __version__
from weir.cli.node import Target
from weir.errors import InvalidInput, NotFound, Unavailable, WeirError, kind_of_status

_HINTS = {
    401: "Give a valid key with --key or WEIR_KEY; weir keys create makes one.",
    404: "Is this the address of a Weir node of this version?",
}
_MESSAGE_CHARS_MAX = 500


class _Refusal(msgspec.Struct):
    error: str = ""
    message: str = ""
    position: int | None = None


def connect(target: Target, *, timeout_s: float) -> httpx.Client:
    """A client that carries the key. Proxies of the environment are used for other machines only.

    ``timeout_s`` bounds each wait for the network, not a whole answer.
    """
    headers = {"authorization": f"Bearer {target.key}", "user-agent": f"weir/{__version__}"}
    return httpx.Client(
        base_url=target.url,
        headers=headers,
        timeout=timeout_s,
        trust_env=not target.is_local,
        verify=_trusted(target),
    )


def _trusted(target: Target) -> ssl.SSLContext | bool:
    if target.cacert is None:
        return True
    try:
        return ssl.create_default_context(cafile=target.cacert)
    except ssl.SSLError as error:
        raise InvalidInput(
            f"{target.cacert} holds no certificate that can be read.",
            hint="--cacert takes a PEM file.",
        ) from error


def lost_connection(target_url: str, error: httpx.TransportError) -> WeirError:
    """The error of a node that cannot be reached or that broke off.

    ``InvalidInput`` (``certificate_untrusted``) for a certificate that no repetition makes better.
    """
    distrust = _distrust(error)
    if distrust is not None:
        return InvalidInput(
            f"The certificate of {target_url} is not trusted: {distrust.verify_message}.",
            code="certificate_untrusted",
            hint="Give the authority with --cacert or WEIR_CACERT.",
        )
    words = str(error) or type(error).__name__
    return Unavailable(
        f"{target_url} does not answer: {words}.",
        code="node_unreachable",
        hint="Is the node running, and the address right?",
    )


def _distrust(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error


def error_of(status: int, body: bytes) -> WeirError:
    """The error that a reply tells."""
    try:
        refusal = msgspec.json.decode(body, type=_Refusal)
    except msgspec.MsgspecError:
        refusal = _Refusal()
    is_explained = status == NotFound.status and refusal.error not in {"", NotFound.default_code}
    hint = None if is_explained else _HINTS.get(status)
    if refusal.error == "tenant_inactive":
        hint = "The operator switches it on with: weir tenants change SLUG --active"
    if refusal.position is not None:
        hint = f"It stands at character {refusal.position} of the query."
    message = refusal.message[:_MESSAGE_CHARS_MAX] or f"The node answered with status {status}."
    return kind_of_status(status)(message, code=refusal.error or None, hint=hint)
