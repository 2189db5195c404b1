"""The two tiers of the tests: their tables name what is there, and promises are in the first."""

import re

import pytest

from tests.tiers import KEPT, LEFT_TO_ALL, SLOW, covers, is_left, without_reason

TABLES = {"LEFT_TO_ALL": LEFT_TO_ALL, "KEPT": KEPT, "SLOW": SLOW}
PROMISE = re.compile(r"\[(test_\w+)\]\((tests/[\w/]+\.py)\)")


@pytest.fixture(scope="module")
def tests_there(files: dict[str, bytes]) -> set[str]:
    """Every test function of the repository: path and name."""
    found = re.compile(r"^(?:async )?def (test_\w+)\(", re.MULTILINE)
    return {
        f"{path}::{name}"
        for path, text in files.items()
        if re.fullmatch(r"tests/.*test_\w+\.py", path)
        for name in found.findall(text.decode())
    }


@pytest.mark.parametrize("name", TABLES)
def test_every_entry_names_a_test_and_a_reason(name: str, tests_there: set[str]) -> None:
    """No entry outlives its test."""
    table = TABLES[name]
    stale = {key for key in table if not any(covers([key], test) for test in tests_there)}
    assert stale == set()
    assert all(table.values())


def test_what_is_kept_would_be_left_out(tests_there: set[str]) -> None:
    """An entry of ``KEPT`` that changes nothing is one too many."""
    left = [test for test in tests_there if covers(LEFT_TO_ALL, test)]
    assert {key for key in KEPT if not any(covers([key], test) for test in left)} == set()


def test_every_promise_of_the_readme_is_in_the_first_tier(
    files: dict[str, bytes], tests_there: set[str]
) -> None:
    """``make test`` runs every test that the README's table names."""
    promises = {f"{path}::{name}" for name, path in PROMISE.findall(files["README.md"].decode())}
    assert len(promises) > 10
    assert promises - tests_there == set()
    assert {promise for promise in promises if is_left(promise)} == set()


@pytest.mark.parametrize(
    "key", ["tests/unit", "lake", "test_a.py", "lake/test_a.py", "test_a.py::test_it"]
)
def test_a_key_covers_what_it_names(key: str) -> None:
    """A folder, a file or a test, wherever it lies, with all of its cases."""
    assert covers([key], "tests/unit/lake/test_a.py::test_it[tests/other::case]")


@pytest.mark.parametrize("key", ["other", "a.py", "test_a.py::test", "unit/test_a.py", "case"])
def test_a_key_covers_no_namesake(key: str) -> None:
    """Names count whole, and the name of a case is none."""
    assert not covers([key], "tests/unit/lake/test_a.py::test_it[tests/other/case/]")


def test_slow_tests_without_a_reason_are_told() -> None:
    """The slowest first; what stands in a table is left out."""
    durations_s = {
        "tests/unit/test_new.py::test_quick": 4.9,
        "tests/unit/test_new.py::test_slow[1]": 5.1,
        "tests/unit/test_new.py::test_slow[2]": 6.0,
        "tests/end_to_end/test_new.py::test_whole": 60.0,
    }
    assert without_reason(durations_s) == [
        (6.0, "tests/unit/test_new.py::test_slow[2]"),
        (5.1, "tests/unit/test_new.py::test_slow[1]"),
    ]
