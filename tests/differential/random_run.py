"""One random query, asked of the node and of the oracle; where they differ, the smallest such."""

import re
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import duckdb

from tests.differential.answers import difference
from tests.differential.drawn_queries import Query, draw_query
from tests.differential.filled_node import FilledNode, Refused
from tests.differential.oracle import Oracle

SHRINKS_MAX: Final = 40
"""Smaller queries that are tried of one that differs."""

_RANK: Final = re.compile("«(.*?)»")
_NOW: Final = re.compile(r"\b(now\(\)|current_)", re.IGNORECASE)


class Found(NamedTuple):
    """A query whose answers differ: its seed, the smallest of its kind, and how they differ."""

    seed: int
    weir: str
    plain: str
    wrong: str
    is_refusal: bool


class Run:
    """The node and the oracle beside each other."""

    def __init__(self, node: FilledNode, oracle: Oracle) -> None:
        self._node = node
        self._oracle = oracle
        self.useless = 0
        """Queries that the oracle cannot answer either: a mistake of the drawing."""
        self.empty = 0
        """Queries without a row, which prove little."""

    def ask(self, seed: int) -> Found | None:
        """Returns what differs for the query of a seed; None where the answers are one."""
        query = draw_query(seed)
        wrong = self._wrong(query)
        if not wrong:
            return None
        useless, empty = self.useless, self.empty
        smallest = self._smallest(seed, query, wrong)
        self.useless, self.empty = useless, empty
        return smallest

    def _smallest(self, seed: int, query: Query, wrong: str) -> Found:
        """Leaves parts out while the answers go on to differ in the same way."""
        is_refusal, tries, goes_on = _is_refusal(wrong), 0, True
        while goes_on and tries < SHRINKS_MAX:
            goes_on = False
            for smaller in query.smaller():
                tries += 1
                found = self._wrong(smaller)
                if found and _is_refusal(found) == is_refusal:
                    query, wrong, goes_on = smaller, found, True
                    break
                if tries >= SHRINKS_MAX:
                    break
        weir, plain = query.written()[:2]
        return Found(seed, weir, plain, wrong, is_refusal)

    def _wrong(self, query: Query) -> str:
        wrong = self._compared(query)
        if wrong and _NOW.search(query.written().weir):
            return self._compared(query)  # between two engines an hour may have begun
        return wrong

    def _compared(self, query: Query) -> str:
        weir, plain = query.written()[:2]
        plain = _RANK.sub(lambda found: str(self._oracle.rank(found[1])), plain)
        try:
            wanted = self._oracle.rows(plain)
        except duckdb.Error:
            self.useless += 1
            return ""
        found = self._node.rows(weir)
        if isinstance(found, Refused):
            return f"refused {found.status}: {found.text}"
        self.empty += not wanted
        return difference(found, wanted, ordered=query.ordered)


def _is_refusal(wrong: str) -> bool:
    return wrong.startswith("refused")


def run_all(run: Run, seeds: Iterable[int], say: Callable[[Found], None]) -> list[Found]:
    """Asks the queries of all seeds; says each that differs when it was found."""
    found = []
    for seed in seeds:
        each = run.ask(seed)
        if each is not None:
            say(each)
            found.append(each)
    return found
