"""The engine's own public test statements mean, as the gate leaves them, what was written."""

import os
from pathlib import Path

import pytest

from tests.differential.engine_statements import compare_folder, report

VARIABLE = "ENGINE_TESTS"
"""Names the folder: ``test/sql`` of a checkout of the engine, of the version that is installed."""


@pytest.mark.soak
@pytest.mark.timeout(6 * 3600)
def test_the_engines_own_statements_mean_what_was_written() -> None:
    """What is not refused gives the same rows, types and names; nothing ends its process."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        pytest.skip(f"{VARIABLE} names no folder with the engine's test files")
    lines, wrong = report(compare_folder(Path(folder), processes=len(os.sched_getaffinity(0))))
    print("\n".join(lines))
    for each in wrong:
        print(f"{each.file}: {each.comparison.reason}\n    {each.sql}")
    assert lines, "the folder holds no statement"
    assert not wrong, f"{len(wrong)} statements differ"
