"""``->``: the step into JSON, or the arrow of a lambda.

The engine reads ``->`` as the arrow of a lambda first and binds it looser than everything else:
``f(j -> 'a')`` is a lambda there, and ``j -> 'a' ->> 'b' = 'c'`` steps down by a comparison. Here
an arrow binds tighter than any other sign, as ``.`` does: brackets are put around it before the
engine reads the text. Which of the two it is, the function says that it is given to: only those
of ``LAMBDA_FUNCTIONS`` can be given a lambda.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from weir.engine.syntax import Token
from weir.query.statement.nodes import Node, arguments_of, call, function_name, is_expression

LAMBDA_FUNCTIONS: Final = frozenset(
    [
        "list_transform",
        "array_transform",
        "list_apply",
        "array_apply",
        "apply",
        "list_filter",
        "array_filter",
        "filter",
        "list_reduce",
        "array_reduce",
        "reduce",
    ]
)

_ARROWS: Final = frozenset({"->", "->>"})
_PAIRS: Final = {"(": ")", "[": "]", "{": "}"}
_CLOSING: Final = frozenset(_PAIRS.values())


class Bracketed(NamedTuple):
    """A text with brackets put in, and where: offsets in bytes of the text as it was sent."""

    sql: str
    inserted: list[int]
    """Ascending: in front of each of these bytes stands one bracket more."""


def bracketed(sql: str, tokens: Sequence[Token]) -> Bracketed:
    """Returns the text with brackets around every step into JSON, which changes nothing else."""
    if not any(token.text in _ARROWS for token in tokens):
        return Bracketed(sql, [])
    pairs = _pairs(tokens)
    starts: list[int] = []
    ends: list[int] = []
    first_of: dict[int, int] = {}
    for place, token in enumerate(tokens):
        if token.text not in _ARROWS or not 0 < place < len(tokens) - 1:
            continue
        first = first_of.get(place - 1)
        if first is None:
            first = _operand_start(tokens, pairs, place - 1)
        last = _key_end(tokens, pairs, place + 1)
        if last is None or (token.text == "->" and _is_lambda(tokens, first, place)):
            continue
        first_of[last] = first
        starts.append(tokens[first].start)
        ends.append(tokens[last].end)
    marks = sorted([(at, 1, "(") for at in starts] + [(at, 0, ")") for at in ends])
    encoded, parts, done = sql.encode(), [], 0
    for at, _, sign in marks:
        parts += [encoded[done:at], sign.encode()]
        done = at
    parts.append(encoded[done:])
    return Bracketed(b"".join(parts).decode(), [at for at, _, _ in marks])


def settle(node: Node) -> None:
    """Makes an arrow that the engine took for a lambda a step into JSON, unless it is marked.

    ``node`` is a ``LAMBDA``; ``mark_lambdas`` has been at the call around it.
    """
    if node["syntax_type"] == "LAMBDA_KEYWORD":
        return
    made = call("->", node["lhs"], node["expr"], operator=True)
    kept = {key: node[key] for key in ("alias", *_LOCATION) if key in node}
    node.clear()
    node.update(made | kept)


def mark_lambdas(node: Node) -> None:
    """Writes the lambdas among a call's arguments in the form that the engine runs."""
    if function_name(node) not in LAMBDA_FUNCTIONS:
        return
    for argument in arguments_of(node)[1:]:
        if is_expression(argument, "LAMBDA") and parameters_of(argument):
            argument["syntax_type"] = "LAMBDA_KEYWORD"


def parameters_of(node: Node) -> list[str]:
    """Returns the names of a lambda's parameters, in lower case; none where it can be none."""
    left = node["lhs"]
    listed = arguments_of(left) if function_name(left) == "row" else [left]
    names = [each.get("column_names", ()) for each in listed]
    return [name[0].lower() for name in names] if all(len(name) == 1 for name in names) else []


_LOCATION: Final = ("query_location", "query_location_length")


def _pairs(tokens: Sequence[Token]) -> dict[int, int]:
    """The place of each bracket's other one; those without are left out."""
    pairs: dict[int, int] = {}
    waiting: list[int] = []
    for place, token in enumerate(tokens):
        if token.text in _PAIRS:
            waiting.append(place)
        elif token.text in _CLOSING and waiting and _PAIRS[tokens[waiting[-1]].text] == token.text:
            opening = waiting.pop()
            pairs[opening], pairs[place] = place, opening
    return pairs


def _operand_start(tokens: Sequence[Token], pairs: dict[int, int], place: int) -> int:
    """The first token of what ends at ``place``: names, calls, subscripts, casts, brackets."""
    while True:
        if tokens[place].text in _CLOSING:
            place = pairs.get(place, place)
            if place > 0 and _is_end_of_operand(tokens[place - 1]) and tokens[place].text != "{":
                place -= 1
                continue
        before = tokens[place - 1].text if place > 0 else ""
        if before in (".", "::") and place > 1:
            place -= 2
            continue
        if before.upper() == "JSON" and _is_text(tokens[place]):
            return place - 1
        return place


def _is_end_of_operand(token: Token) -> bool:
    """Whether a bracket behind the token is a call's or a subscript's."""
    word = token.text
    return word in _CLOSING or ((word[0].isalpha() or word[0] in '_"') and not _is_reserved(word))


def _is_reserved(word: str) -> bool:
    return word.upper() in {
        *("AND", "OR", "NOT", "IN", "LIKE", "ILIKE", "BETWEEN", "IS", "WHEN", "THEN", "ELSE"),
        *("SELECT", "WHERE", "ON", "BY", "HAVING", "QUALIFY", "DISTINCT", "VALUES", "LIMIT"),
        *("CASE", "FILTER", "OVER", "USING", "FROM", "AS", "UNION", "ALL", "ANY", "EXISTS"),
        *("INTERSECT", "EXCEPT", "GLOB", "TO", "ESCAPE", "OFFSET", "ARRAY", "SIMILAR"),
    }


def _key_end(tokens: Sequence[Token], pairs: dict[int, int], place: int) -> int | None:
    """The last token of the key behind an arrow; None for what is left to the engine."""
    token = tokens[place]
    if token.text == "-" and place + 1 < len(tokens):
        return place + 1 if tokens[place + 1].text[0].isdigit() else None
    if token.text in ("(", "["):
        return pairs.get(place)
    if _is_text(token) or token.text[0].isdigit():
        return place
    return None


def _is_text(token: Token) -> bool:
    return token.text[0] in "'$" or token.text[:2].lower() in ("e'", "x'")


def _is_lambda(tokens: Sequence[Token], first: int, arrow: int) -> bool:
    """Whether the arrow stands behind names, as a later argument of a function of lambdas."""
    names = tokens[first:arrow]
    if names[0].text == "(":
        names = names[1:-1]
    if any(not (name.text[0].isalpha() or name.text[0] in '_",') for name in names):
        return False
    if tokens[first - 1].text != "," or first == 0:
        return False
    depth = 0
    for place in range(first - 1, -1, -1):
        text = tokens[place].text
        if text in _CLOSING:
            depth += 1
        elif text in _PAIRS:
            if depth == 0:
                return place > 0 and tokens[place - 1].text.lower() in LAMBDA_FUNCTIONS
            depth -= 1
    return False
