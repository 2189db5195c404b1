"""What the fixtures of this folder hand out."""

from collections.abc import Callable
from dataclasses import dataclass, field

from click.testing import Result

Run = Callable[..., Result]
"""Runs ``weir`` with arguments."""


@dataclass(slots=True)
class Asked:
    """One request as the node saw it."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Answer:
    """What the node answers; status 0 breaks the connection off."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


Respond = Callable[[Asked], Answer]


@dataclass(slots=True)
class FakeNode:
    """An HTTP server whose answers the test gives."""

    url: str = ""
    respond: Respond = lambda _asked: Answer(500)
    asked: list[Asked] = field(default_factory=list)
