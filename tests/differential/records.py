"""The engine's public test files, taken apart: what sets tables up, and what asks.

The format is that of sqllogictest: a line ``statement ok`` or ``query III`` with the statement
below it, up to an empty line or the expected rows behind ``----``. Loops are played a few times
with their variable's values. Pure: text in, records out.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

LOOPS_MAX: Final = 6
"""Values of a loop that are played."""

RECORDS_MAX: Final = 1500
"""Statements of one file that are taken."""

_ASKS: Final = re.compile(
    r"(?:\s|\(|--[^\n]*\n|/\*.*?\*/)*(select|with|from|values|describe|summarize)\b",
    re.IGNORECASE | re.DOTALL,
)
_LEAVES: Final = re.compile(
    r"\s*(attach|detach|use|copy|export|import|install|load|checkpoint|force|pragma|prepare|execute"
    r"|begin|commit|rollback|abort|start|explain|vacuum|analyze)\b",
    re.IGNORECASE,
)
"""What reaches files, or changes what later statements are; the file goes on without it."""


class Record(NamedTuple):
    """A statement of a file; one that asks is compared, others are run before those that follow."""

    sql: str
    asks: bool


def records_of(text: str) -> list[Record]:
    """Returns the file's statements in their order; none for a file that wants what is not here."""
    blocks = [block for block in re.split(r"\n[ \t]*\n", _without_comments(text)) if block.strip()]
    found = [record for block in _played(blocks, {}) for record in _record_of(block)]
    return found[:RECORDS_MAX]


def _without_comments(text: str) -> str:
    lines = text.replace("\r", "").split("\n")
    return "\n".join(line for line in lines if not line.startswith("#"))


def _played(blocks: Sequence[str], values: dict[str, str]) -> Iterator[str]:
    """The blocks with loops unrolled and variables replaced."""
    place = 0
    while place < len(blocks):
        block = blocks[place].strip("\n")
        place += 1
        head, _, rest = block.partition("\n")
        words = head.split()
        if words and words[0] in ("loop", "foreach", "concurrentloop", "concurrentforeach"):
            end = _end_of_loop(blocks, place)
            inner = [*([rest] if rest.strip() else []), *blocks[place:end]]
            for value in _values_of(words):
                yield from _played(inner, {**values, words[1]: value})
            place = end + 1
            continue
        if words and words[0] == "endloop":
            continue
        yield _filled(block, values)


def _end_of_loop(blocks: Sequence[str], start: int) -> int:
    depth = 1
    for place in range(start, len(blocks)):
        for line in blocks[place].split("\n"):
            word = line.split(None, 1)[:1]
            if word and word[0] in ("loop", "foreach", "concurrentloop", "concurrentforeach"):
                depth += 1
            elif word == ["endloop"]:
                depth -= 1
        if depth <= 0:
            return place
    return len(blocks)


def _values_of(words: Sequence[str]) -> list[str]:
    if words[0].endswith("foreach"):
        return list(words[2:])[:LOOPS_MAX]
    try:
        return [str(value) for value in range(int(words[2]), int(words[3]))][:LOOPS_MAX]
    except (IndexError, ValueError):
        return []


def _filled(block: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        block = block.replace("${" + name + "}", value)
    return block


def _record_of(block: str) -> Iterator[Record]:
    lines = block.split("\n")
    while lines and lines[0].split(None, 1)[:1] in (["onlyif"], ["skipif"], ["require"], ["mode"]):
        lines = lines[1:]
    if not lines:
        return
    words = lines[0].split()
    if words[:2] not in (["statement", "ok"], ["statement", "maybe"]) and words[:1] != ["query"]:
        return
    body: list[str] = []
    for line in lines[1:]:
        if line.startswith("----"):
            break
        body.append(line)
    sql = "\n".join(body).strip().rstrip(";").strip()
    if not sql or "${" in sql or "__TEST_DIR__" in sql or _LEAVES.match(sql):
        return
    yield Record(sql, asks=bool(_ASKS.match(sql)))
