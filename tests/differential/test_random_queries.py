"""A running node answers random queries as a bare engine does over the JSON as it was sent.

The same seed draws the same query. What differs is printed with its seed and as the smallest query
that differs alike; ``--first-query SEED --queries 1`` asks it again.
"""

import pytest

from tests.differential.random_run import Found, Run, run_all

QUERIES = 200
"""Of ``make test-all``; the soak has its own number."""

MEANT_SHARE = 0.98
"""Share of the queries that the oracle must understand, or the drawing is wrong."""

ANSWERED_SHARE = 0.5
"""Share of the queries that must have rows, or they prove little."""


def test_random_queries_are_answered_as_by_the_bare_engine(run: Run) -> None:
    """Over the tail, small files, files with columns and merged ones, whatever the JSON holds."""
    assert_all_agree(run, range(QUERIES))


@pytest.mark.soak
@pytest.mark.timeout(6 * 3600)
def test_many_random_queries_are_answered_as_by_the_bare_engine(
    run: Run, pytestconfig: pytest.Config
) -> None:
    """Likewise, ``--queries`` of them from the seed ``--first-query`` on."""
    first, count = _number(pytestconfig, "--first-query"), _number(pytestconfig, "--queries")
    assert_all_agree(run, range(first, first + count))


def assert_all_agree(run: Run, seeds: range) -> None:
    """Asks all queries, prints those that differ, and fails for them at the end."""
    print(f"seeds {seeds.start} to {seeds.stop - 1}")
    found = run_all(run, seeds, say)
    print(f"{len(seeds)} queries, {run.empty} of them without rows")
    assert not found, f"{len(found)} of {len(seeds)} queries differ: {found[0]}"
    if len(seeds) >= QUERIES:
        assert run.useless <= (1 - MEANT_SHARE) * len(seeds)
        assert run.empty <= (1 - ANSWERED_SHARE) * len(seeds)


def _number(config: pytest.Config, option: str) -> int:
    return int(config.getoption(option))


def say(found: Found) -> None:
    """Prints what differs."""
    print(f"seed {found.seed}: {found.wrong}\n  asked  {found.weir}\n  oracle {found.plain}")
