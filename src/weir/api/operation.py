"""One typed row per HTTP operation that the api process answers itself.

A row is a description (``domain/described.py``) with the types of what is asked and what is
answered. From it follow the Starlette route (``routing``), how a request is read and its wrong
fields are named (``reading``), the OpenAPI document, docs/reference/http.md, and for the operator's
verbs the call of the client (``client``). The functions of relayed operations are closures over
parts of a running node and are handed to ``routing`` beside their row; a verb needs nothing but
control state, so its row holds its function too.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import msgspec

from weir.domain.described import Body, DescribedOperation

if TYPE_CHECKING:
    from weir.control.service import ControlService

BODY_BYTES_MAX: Final = 65536
"""A typed request is short."""

Asked = TypeVar("Asked")
Reply = TypeVar("Reply")


class Operation(DescribedOperation, Generic[Asked, Reply], frozen=True, kw_only=True):
    """A described operation with the Struct that it is asked with and the type of its reply.

    Fields of ``request`` that the path names stand there. The others stand in the query string of
    a GET, and in the JSON body of any other method. ``NoneType``: nothing is asked.
    """

    request: type[Asked]
    returns: type[Reply]
    body_bytes_max: int = BODY_BYTES_MAX

    @property
    def path_names(self) -> frozenset[str]:
        """The names of the parameters in the path."""
        return frozenset(re.findall(r"{(\w+)}", self.path))

    @property
    def in_path(self) -> bool:
        """Whether the path holds all that is asked."""
        return {field.encode_name for field in self.request_fields} <= self.path_names

    @property
    def has_body(self) -> bool:
        """Whether a JSON body holds what the path does not."""
        return self.method != "GET" and not self.in_path

    @property
    def request_fields(self) -> tuple[msgspec.structs.FieldInfo, ...]:
        """The fields of ``request``; none for ``NoneType``."""
        if not issubclass(self.request, msgspec.Struct):
            return ()
        return msgspec.structs.fields(self.request)


class Verb(Operation[Asked, Reply], Generic[Asked, Reply], frozen=True, kw_only=True):
    """A verb of the operator. ``run`` answers it; it may wait for a disk, and runs in a thread."""

    run: "Callable[[ControlService, Asked], Reply]"
    reply: Body = Body()
    reply_words: str = ""
    errors: tuple[int, ...] = (400, 404, 409, 413, 422, 429, 503)
    """What a verb may answer with; ``reading`` refuses no JSON with 400, a wrong field with 422."""
