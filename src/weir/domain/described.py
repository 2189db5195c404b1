"""How an HTTP operation is described, whoever answers it.

The rows stand below every folder that fills them in or reads them: the dialects describe what the
door answers, ``api/operation.py`` adds what a process needs to answer a row itself, and the OpenAPI
document, docs/reference/http.md and the contract tests read both kinds alike. They need nothing but
scopes, so they stand beside those.
"""

from collections.abc import Mapping

import msgspec

from weir.domain.keys import Scope

OBJECT: Mapping[str, object] = {"type": "object"}
TEXT: Mapping[str, object] = {"type": "string"}
TIME: Mapping[str, object] = {"type": "string", "format": "date-time"}


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter in the query string or the path."""

    name: str
    words: str
    schema: Mapping[str, object] = msgspec.field(default_factory=lambda: TEXT)
    required: bool = False
    place: str = "query"
    """``query`` or ``path``."""


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """A body by examples.

    ``other_types`` are media types that may stand in its place, each with an example; "": none.
    """

    examples: Mapping[str, object] = msgspec.field(default_factory=dict)
    schema: Mapping[str, object] = msgspec.field(default_factory=lambda: OBJECT)
    media_type: str = "application/json"
    other_types: Mapping[str, str] = msgspec.field(default_factory=dict)


class DescribedOperation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path; ``scope`` is what the credential needs, ``None``: no credential."""

    method: str
    path: str
    name: str
    summary: str
    reply: Body
    reply_words: str
    scope: Scope | None = None
    status: int = 200
    reply_headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Headers of the reply by name, and what each tells."""
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    errors: tuple[int, ...] = ()
    refusals: Mapping[int, Body] = msgspec.field(default_factory=dict)
    """What errors answer that have shapes or examples of their own, by status."""
    error_schema: Mapping[str, object] | None = None
    """The shape of the other errors; ``None``: the node's own."""
