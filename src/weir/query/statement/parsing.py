"""SQL text to the engine's own tree and back.

There is one reader of the language, the engine: what is checked and changed here is what it read,
and what runs is what it writes from the tree. Only brackets around ``->`` are put in before
(``arrows.py``). The text is held to limits first, by its words and signs.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from weir.engine.syntax import Syntax, Token, UnreadableTree
from weir.errors import InvalidInput
from weir.query.request import Parameter
from weir.query.statement.arrows import bracketed, mark_lambdas, settle
from weir.query.statement.nodes import Node, integer, is_expression, nodes, replaced, string

TOKENS_MAX: Final = 20_000
BRACKETS_DEEP_MAX: Final = 48

_PLACE: Final = "query_location"
_LENGTH: Final = "query_location_length"


class Statement(NamedTuple):
    """A SELECT as the engine read it: the query, and the text that its places count in."""

    query: Node
    sql: str


def parse(sql: str, syntax: Syntax) -> list[Statement]:
    """Returns the statements of a text.

    Raises ``InvalidInput`` (``invalid_query``) with the place as ``position``, in characters from
    0, for what is not SQL, is too long or nests too deep; ``NotSelect`` for another statement.
    """
    sql = _with_plain_spaces(sql)
    tokens = Syntax.tokens(sql)
    _check_tokens(sql, tokens)
    text = bracketed(sql, tokens)
    marks = [at + place for place, at in enumerate(text.inserted)]
    try:
        told: dict[str, Any] = msgspec.json.decode(syntax.read(text.sql))
    except RecursionError:
        raise too_deep() from None
    except UnreadableTree:
        raise invalid("The query cannot be parsed.") from None
    places = _Places(sql, marks)
    if told["error"]:
        raise _failure(told, tokens, places)
    found = [Statement(each["node"], sql) for each in told.get("statements", ())]
    for statement in found:
        places.correct(statement.query)
    return found


_UNICODE_SPACES: Final = "\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_QUOTED_OR_SPACE: Final = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/"
    r"|\$(?P<tag>(?:[A-Za-z_\x80-\U0010ffff][0-9A-Za-z_\x80-\U0010ffff]*)?)\$.*?\$(?P=tag)\$"
    r"|[" + _UNICODE_SPACES + "]",
    re.DOTALL,
)


def _with_plain_spaces(sql: str) -> str:
    """The text with plain spaces for those of Unicode, but in quotes, as the engine takes them.

    It tells places in the text that it makes of it, where a space may have lost bytes.
    """
    if sql.isascii():
        return sql
    return _QUOTED_OR_SPACE.sub(lambda found: found[0] if len(found[0]) > 1 else " ", sql)


def settle_arrows(query: Node) -> None:
    """Decides of every arrow in a tree whether it is a lambda's; in place."""
    for node in list(nodes(query)):
        mark_lambdas(node)
        if is_expression(node, "LAMBDA"):
            settle(node)


def bind(query: Node, parameters: Mapping[str, Parameter]) -> None:
    """Puts a literal in place of each ``$name`` that has a value; others stay placeholders."""
    for node in _every(query) if parameters else ():
        if node.get("class") == "PARAMETER" and node["identifier"] in parameters:
            value = parameters[node["identifier"]]
            replaced(node, string(value) if isinstance(value, str) else integer(value))


def write(query: Node, syntax: Syntax) -> str:
    """Returns the tree as one statement for the engine."""
    told = {"error": False, "statements": [{"node": query}]}
    try:
        return syntax.write(msgspec.json.encode(told).decode())
    except RecursionError:
        raise too_deep() from None
    except UnreadableTree:
        raise invalid("The query uses syntax that is not supported.") from None


def invalid(message: str, *, position: int | None = None, hint: str | None = None) -> InvalidInput:
    """Returns the error of a query that cannot be understood; ``position`` counts from 0."""
    return InvalidInput(message, code="invalid_query", position=position, hint=hint)


def too_deep() -> InvalidInput:
    """Returns the error of a query that nests too deep."""
    return invalid("The query nests too deep.")


def positions_of_name(sql: str, name: str) -> list[int]:
    """Returns where a name or sign stands in a text that ``parse`` took, but not after ``AS``."""
    wanted = name.lower()
    tokens = Syntax.tokens(sql)
    encoded = sql.encode()
    return [
        len(encoded[: token.start].decode())
        for before, token in zip([None, *tokens], tokens, strict=False)
        if _named(token.text).lower() == wanted and not (before and before.text.upper() == "AS")
    ]


class Span(NamedTuple):
    """Where a node stands in its text: characters from 0, the end not included."""

    start: int
    end: int


def span_of(node: Node) -> Span | None:
    """Returns where a node and all below it stand, None where the engine does not say."""
    places = [
        (each[_PLACE], each[_PLACE] + each.get(_LENGTH, 0))
        for each in nodes(node)
        if _PLACE in each
    ]
    if not places:
        return None
    return Span(min(start for start, _ in places), max(end for _, end in places))


def position_of(node: Node) -> int | None:
    """Returns where a node begins in its text, if the engine says so."""
    starts = [each[_PLACE] for each in _every(node) if _PLACE in each]
    return min(starts, default=None)


class NotSelect(Exception):  # the gate says it in its own words
    """A statement that is no SELECT, and the word that it begins with, in upper case."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


class _Places:
    """From bytes of the text that the engine read to characters of the text as it was sent."""

    def __init__(self, sql: str, marks: list[int]) -> None:
        self._characters = None if sql.isascii() else _characters_of(sql)
        self._marks = marks

    def character(self, at: int) -> int:
        sent = at - bisect_left(self._marks, at)
        return sent if self._characters is None else self._characters[sent]

    def correct(self, query: Node) -> None:
        """Makes all places in a tree characters of the text as it was sent."""
        for node in _every(query):
            if _PLACE in node:
                start = node[_PLACE]
                node[_PLACE] = self.character(start)
                if _LENGTH in node:
                    node[_LENGTH] = self.character(start + node[_LENGTH]) - node[_PLACE]


def _characters_of(sql: str) -> list[int]:
    """The character that each byte is of, and how many there are behind the last one."""
    found: list[int] = []
    for place, sign in enumerate(sql):
        found += [place] * len(sign.encode())
    return [*found, len(sql)]


def _every(node: Node) -> Iterable[Node]:
    """Every object of a tree, whatever it is."""
    waiting: list[Any] = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield each
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def _check_tokens(sql: str, tokens: list[Token]) -> None:
    if len(tokens) > TOKENS_MAX:
        raise invalid(f"The query has more than {TOKENS_MAX} words and signs.")
    depth = 0
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.text in ("(", "[", "{"):
            depth += 1
            if depth > BRACKETS_DEEP_MAX:
                raise invalid(
                    f"Brackets nest deeper than {BRACKETS_DEEP_MAX}.",
                    position=_character(sql, token.start),
                )
        elif token.text in (")", "]", "}"):
            depth -= 1
        elif before and _is_glued(before, token):
            raise invalid("This number cannot be read.", position=_character(sql, before.start))


def _is_glued(before: Token, token: Token) -> bool:
    """``0x1F`` would be read as ``0 AS x1F``."""
    return before.end == token.start and before.text[0].isdigit() and token.text[0].isalpha()


def _character(sql: str, at: int) -> int:
    return len(sql.encode()[:at].decode(errors="ignore"))


def _named(text: str) -> str:
    return text[1:-1].replace('""', '"') if text[:1] == '"' else text


def _failure(told: dict[str, Any], tokens: list[Token], places: _Places) -> Exception:
    words = str(told["error_message"])
    if told["error_type"] == "not implemented" and "SELECT" in words:
        return NotSelect(tokens[0].text.upper())
    if "expression depth" in words:
        return too_deep()
    if tokens and _is_open(tokens[-1].text) and "unterminated" in words:
        return invalid("The query has a quote or a comment that is not closed.")
    position = told.get("position")
    at = None if position is None else places.character(int(position))
    return invalid(words[:1].upper() + words[1:].rstrip(".!") + ".", position=at)


def _is_open(text: str) -> bool:
    return text[:1] in "'\"$" or text[:2] in ("/*", "e'", "E'")
