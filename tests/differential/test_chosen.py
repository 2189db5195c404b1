"""Chosen statements mean to the engine, as the gate leaves them, what was written."""

from collections.abc import Iterator

import duckdb
import pytest

from tests.differential.agreement import SideBySide, Verdict, names_of_engine
from tests.differential.chosen_statements import make_tables, statements_of, topics
from weir.errors import WeirError

REFUSED = "refused"
MISTAKES = "mistakes"


@pytest.fixture(scope="module")
def sides() -> Iterator[SideBySide]:
    """The small tables on a bare engine."""
    connection = duckdb.connect(":memory:", config={"threads": "1"})
    made = SideBySide(connection, names_of_engine())
    make_tables(connection)
    yield made
    connection.close()


def cases(*names: str) -> list[str]:
    """The statements of these files."""
    return [statement for name in names for statement in statements_of(name)]


@pytest.mark.parametrize(
    "sql", cases(*(name for name in topics() if name not in (REFUSED, MISTAKES)))
)
def test_a_statement_means_what_was_written(sides: SideBySide, sql: str) -> None:
    """Rows, their order, types and given names are those of the text itself."""
    found = sides.compare(sql)
    assert found.verdict is Verdict.AGREES, found.reason


@pytest.mark.parametrize("sql", cases(REFUSED))
def test_what_policy_refuses_is_refused(sides: SideBySide, sql: str) -> None:
    """Nothing of it reaches the engine."""
    with pytest.raises(WeirError):
        sides.passed(sql)


@pytest.mark.parametrize("sql", cases(MISTAKES))
def test_a_mistake_is_a_mistake_either_way(sides: SideBySide, sql: str) -> None:
    """The gate makes no rows of what the engine does not understand."""
    found = sides.compare(sql)
    assert found.verdict is Verdict.FAILS, found.reason
