"""The table of allowed functions, held against the engine."""

from itertools import combinations
from pathlib import Path

import duckdb
import pytest

from weir.query.statement.functions import (
    FUNCTIONS,
    FUNCTIONS_BY_TOPIC,
    NUMERIC_FIRST_ARGUMENT,
    NUMERIC_RESULT,
    OPERATORS,
    SIZED_FUNCTIONS,
    TABLE_FUNCTIONS,
)

REFUSED = Path(__file__).parents[3] / "golden" / "functions_refused.txt"

SYNTAX = frozenset(
    {"coalesce", "ifnull", "try", "grouping", "grouping_id", "percentile_cont", "percentile_disc"}
)
"""Known to the engine's parser, not to its catalogue."""


def test_every_allowed_function_exists_in_the_engine() -> None:
    """A name that the engine does not know is a mistake in the table."""
    found = duckdb.execute("SELECT DISTINCT function_name FROM duckdb_functions()").fetchall()
    assert {name for (name,) in found} >= FUNCTIONS - SYNTAX


def test_every_function_of_the_engine_was_judged() -> None:
    """A new engine's new functions are refused by the gate, and by this test until somebody looks.

    Put a name into ``functions.py`` to allow it, or into the golden list to go on refusing it.
    """
    catalogue = duckdb.execute("SELECT DISTINCT lower(function_name) FROM duckdb_functions()")
    found = {name for (name,) in catalogue.fetchall()}
    refused = set(REFUSED.read_text().split("\n")) - {""}
    assert not found - FUNCTIONS - refused, "not judged yet"
    assert not refused - found, "gone from the engine"
    assert not refused & FUNCTIONS, "refused and allowed"


def test_every_allowed_sign_exists_in_the_engine() -> None:
    """Each is a function there, but ``->``, which the engine only has as syntax."""
    found = duckdb.execute("SELECT DISTINCT function_name FROM duckdb_functions()").fetchall()
    assert {name for (name,) in found} >= OPERATORS - {"->"}


@pytest.mark.parametrize("name", sorted(SYNTAX))
def test_syntax_function_is_known_to_the_parser(name: str) -> None:
    """Functions outside of the catalogue are real all the same."""
    calls = {
        "percentile_cont": "percentile_cont(0.5) WITHIN GROUP (ORDER BY x)",
        "percentile_disc": "percentile_disc(0.5) WITHIN GROUP (ORDER BY x)",
        "coalesce": "coalesce(max(x), 1)",
        "ifnull": "ifnull(max(x), 1)",
        "try": "try(x)",
        "grouping": "x, grouping(x)",
        "grouping_id": "x, grouping_id(x)",
    }
    grouped = " GROUP BY x" if name.startswith("grouping") else ""
    rows = duckdb.execute(f"SELECT {calls[name]} FROM range(3) t(x){grouped}").fetchall()
    assert rows


def test_topics_do_not_overlap() -> None:
    """Each function stands under one topic."""
    for one, other in combinations(FUNCTIONS_BY_TOPIC.values(), 2):
        assert not one & other


def test_special_treatment_names_allowed_functions_only() -> None:
    """The lists beside the table are parts of it."""
    assert FUNCTIONS >= TABLE_FUNCTIONS | SIZED_FUNCTIONS | NUMERIC_FIRST_ARGUMENT | NUMERIC_RESULT


def test_nothing_that_reads_or_writes_the_outside_is_allowed() -> None:
    """Files, settings, the environment, catalogs, logs, SQL as text and sleeping stay out."""
    forbidden = (
        "read_",
        "glob",
        "sniff",
        "parquet_",
        "duckdb_",
        "pragma_",
        "pg_",
        "current_se",
        "getenv",
        "getvariable",
        "nextval",
        "currval",
        "setval",
        "query",
        "json_exec",
        "json_serialize",
        "json_deserialize",
        "enable_",
        "disable_",
        "checkpoint",
        "truncate",
        "write_log",
        "which_secret",
        "sleep",
        "arrow_scan",
        "pandas_",
        "python_",
        "seq_scan",
        "setseed",
        "collate_",
        "__",
        "st_",
        "txid",
        "version",
    )
    assert not [name for name in FUNCTIONS if name.startswith(forbidden)]
