"""Histories of faults: whatever a seed does to the machine, every promise holds."""

import pytest

from tests.simulation.history import play_all
from tests.simulation.mutants import MUTANTS

SEEDS = 50
MUTANT_SEEDS = 400


def test_no_history_breaks_a_promise() -> None:
    """Crashes, power cuts, failing disks and clocks that jump: nothing is lost or doubled."""
    for _, broken in play_all(range(SEEDS), processes=1):
        assert not broken, f"make simulate SEED={broken[0].seed}: {broken[0].reason}"


@pytest.mark.parametrize("mutant", MUTANTS)
def test_simulation_notices_a_mistake(mutant: str) -> None:
    """A program with this mistake does not get through a few hundred histories."""
    first = MUTANTS[mutant].first_seed
    for _, broken in play_all(range(first, first + MUTANT_SEEDS), processes=1, mutant=mutant):
        if broken:
            return
    pytest.fail("no history shows it")
