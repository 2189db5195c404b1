"""SQL text to a tree and back, by sqlglot's DuckDB dialect with its rewriting turned off.

sqlglot knows hundreds of functions by class and may write them back differently. Here every call
keeps the name that was written, so that the gate's allow-list sees the engine's own names.

The optimizer's modules are what sqlglot imports where a statement first needs them. That would be
in a worker, which cannot read files any more.
"""

import logging
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import sqlglot.optimizer.annotate_types  # loaded before files are out of reach
import sqlglot.optimizer.normalize_identifiers  # likewise
import sqlglot.optimizer.scope  # likewise
import sqlglot.optimizer.simplify  # noqa: F401  # likewise
from sqlglot import Token, TokenType, exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import ErrorLevel, ParseError, SqlglotError, TokenError
from sqlglot.parsers.duckdb import DuckDBParser

from weir.errors import InvalidInput
from weir.query.request import Parameter

TOKENS_MAX: Final = 20_000
BRACKETS_DEEP_MAX: Final = 48

_SYNTAX_CALLS = ("CAST", "TRY_CAST", "EXTRACT", "POSITION", "SUBSTRING", "TRIM")
_SYNTAX_WORDS = ("CASE", "ANY", "MAP")
_OPENING = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE})
_CLOSING = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE})

# It would log the tenant's statement when it falls back to a plain command.
logging.getLogger("sqlglot").addHandler(logging.NullHandler())
logging.getLogger("sqlglot").propagate = False


class _PlainDuckDB(DuckDB):
    def to_json_path(self, path: exp.Expr | None) -> exp.Expr | None:
        return path

    class Parser(DuckDBParser):
        FUNCTIONS: ClassVar[dict[str, Any]] = {}
        FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
            name: DuckDBParser.FUNCTION_PARSERS[name] for name in _SYNTAX_CALLS
        }
        NO_PAREN_FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
            name: DuckDBParser.NO_PAREN_FUNCTION_PARSERS[name] for name in _SYNTAX_WORDS
        }


_DIALECT = _PlainDuckDB()


def parse(sql: str) -> list[exp.Expr]:
    """Returns the statements of a text, empty ones left out.

    Raises ``InvalidInput`` (``invalid_query``) with the place as ``position``, in characters from
    0, for what is not SQL, is too long or nests too deep.
    """
    try:
        tokens = _DIALECT.tokenize(sql)
        _check_tokens(tokens)
        trees = _DIALECT.parser(error_level=ErrorLevel.IMMEDIATE).parse(tokens, sql)
    except TokenError:
        raise invalid("The query has a quote or a comment that is not closed.") from None
    except ParseError as error:
        raise _as_invalid(error, sql) from None
    except RecursionError:
        raise invalid("The query nests too deep.") from None
    except SqlglotError:
        raise invalid("The query cannot be parsed.") from None
    return [tree for tree in trees if tree is not None and not isinstance(tree, exp.Semicolon)]


def bind(tree: exp.Expr, parameters: Mapping[str, Parameter]) -> None:
    """Puts a literal in place of each ``$name`` that has a value; others stay placeholders."""
    for mark in list(tree.find_all(exp.Placeholder)) if parameters else ():
        if mark.name in parameters:
            mark.replace(exp.convert(parameters[mark.name]))


def write(tree: exp.Expr) -> str:
    """Returns the tree as one statement for the engine: every name quoted, no comments."""
    try:
        return tree.sql(
            dialect=_DIALECT, comments=False, identify=True, unsupported_level=ErrorLevel.RAISE
        )
    except RecursionError:
        raise invalid("The query nests too deep.") from None
    except SqlglotError:
        raise invalid("The query uses syntax that is not supported.") from None


def shown(tree: exp.Expr) -> str:
    """Returns the tree as a person would write it, for names and messages."""
    return tree.sql(dialect=_DIALECT, comments=False)


def invalid(message: str, *, position: int | None = None, hint: str | None = None) -> InvalidInput:
    """Returns the error of a query that cannot be understood; ``position`` counts from 0."""
    return InvalidInput(message, code="invalid_query", position=position, hint=hint)


def positions_of_name(sql: str, name: str) -> list[int]:
    """Returns where a name or sign stands in a text that ``parse`` took, but not after ``AS``."""
    wanted = name.lower()
    tokens = _DIALECT.tokenize(sql)
    return [
        token.start
        for before, token in zip([None, *tokens], tokens, strict=False)
        if token.text.lower() == wanted
        and token.token_type is not TokenType.STRING
        and not (before and before.token_type is TokenType.ALIAS)
    ]


def position_of(tree: exp.Expr) -> int | None:
    """Returns where the tree begins in the text it was parsed from, if it says so."""
    starts = [node.meta["start"] for node in tree.walk() if "start" in node.meta]
    return min(starts, default=None)


def _check_tokens(tokens: list[Token]) -> None:
    if len(tokens) > TOKENS_MAX:
        raise invalid(f"The query has more than {TOKENS_MAX} words and signs.")
    depth = 0
    for before, token in zip([None, *tokens], tokens, strict=False):
        if token.token_type in _OPENING:
            depth += 1
            if depth > BRACKETS_DEEP_MAX:
                raise invalid(
                    f"Brackets nest deeper than {BRACKETS_DEEP_MAX}.", position=token.start
                )
        elif token.token_type in _CLOSING:
            depth -= 1
        elif before and _is_glued(before, token):
            raise invalid("This number cannot be read.", position=before.start)


def _is_glued(before: Token, token: Token) -> bool:
    """``0x1F`` would be read as ``0 AS x1F``."""
    return (
        before.token_type is TokenType.NUMBER
        and token.start == before.end + 1
        and token.token_type is TokenType.VAR
    )


def _as_invalid(error: ParseError, sql: str) -> InvalidInput:
    if not error.errors:
        return invalid("The query cannot be parsed.")
    place = error.errors[0]
    word = str(place.get("highlight") or "")
    lines = sql.split("\n")
    line = min(max(int(place.get("line") or 1), 1), len(lines))
    before = sum(len(text) + 1 for text in lines[: line - 1])
    position = max(before + int(place.get("col") or 1) - max(len(word), 1), 0)
    return invalid(f"Syntax error near '{word[:60]}'.", position=position)
