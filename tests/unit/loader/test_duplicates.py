"""Duplicates across frames, commits, journals and restarts: stored once, counted apart."""

from collections.abc import Callable

import pytest

from tests.unit.loader.rig import Rig, event
from weir.domain.registry import Endpoint, Registry
from weir.node.registry import publish_registry


def outcome(rig: Rig) -> tuple[int, int, int]:
    """Stored, duplicate and conflicting events of the committed ledger, which balances."""
    total = rig.ledger_total()
    assert total.balance == 0
    assert total.stored == len(rig.committed())
    return total.stored, total.duplicate, total.duplicate_conflict


def test_duplicates_within_a_request(rig: Rig) -> None:
    """The first of equal ids in one body is stored."""
    rig.write([event(1), event(1, properties={"n": 9}), event(1), {"event": "e"}, {"event": "e"}])
    with rig.running() as loader:
        assert loader.wait_for_rows(3).num_rows == 3
        loader.cut()
    assert outcome(rig) == (3, 2, 1)
    assert '{"n":1}' in {row["properties"] for row in rig.committed()}


def test_duplicates_across_commits_and_restarts(rig: Rig) -> None:
    """A committed id is known to later commits, whoever makes them; retries are not conflicts."""
    rig.write([event(1)])
    with rig.running() as loader:
        loader.cut()
        rig.write([event(1, sent_at="2026-09-21T00:00:00Z"), event(2)])
        loader.wait_for_rows(1)
        loader.cut()
    rig.write([event(1, properties={}), event(2), event(3)])
    with rig.running() as loader:
        loader.wait_for_rows(1)
        loader.cut()
    assert outcome(rig) == (3, 3, 1)


def test_first_journal_wins_however_it_was_read(new_rig: Callable[..., Rig]) -> None:
    """Of equals in one cut the least (journal, position) is stored, whichever was read first."""
    stored = []
    for first, second in ((0, 1), (1, 0)):
        rig = new_rig()
        with rig.running() as loader:
            for worker in (first, second):
                rig.write([event(1, user_id=f"from-{worker}")], worker=worker)
                loader.wait_for_in_flight(2 if worker == second else 1)
            assert loader.snapshot_files()[1]["user_id"].to_pylist() == [f"from-{first}"]
            loader.cut()
        assert outcome(rig) == (1, 1, 1)
        stored.append(rig.committed()[0]["user_id"])
    assert stored == ["from-0", "from-0"]


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize(("beyond_us", "count"), [(-1, 1), (0, 2), (1, 2)])
def test_window_ends_to_the_microsecond(
    new_rig: Callable[..., Rig], committed: bool, beyond_us: int, count: int
) -> None:
    """An id is free again one window after the stored event, in the tail and in the lake."""
    rig = new_rig(dedup_window_s=60)
    with rig.running() as loader:
        first_us = rig.write([event(1)])
        if committed:
            loader.cut()
        # A fresh writer assigns exactly what its clock says.
        rig.writers.pop(0).close()
        rig.writer(0)
        rig.clock.exactly(first_us + 60_000_000 + beyond_us)
        assert rig.write([event(1)]) == first_us + 60_000_000 + beyond_us
        rig.clock.run()
        loader.cut()
    assert len(rig.committed()) == count


def test_sidecars_stay_few(rig: Rig) -> None:
    """Many commits leave few sidecars, merged ones replace their inputs, and all ids are known."""
    with rig.running() as loader:
        for number in range(12):
            rig.write([event(number)])
            loader.cut()
        rig.write([event(number) for number in range(12)])
        loader.cut()
    catalog = rig.open_catalog()
    state = catalog.load()
    catalog.close()
    assert len(state.sidecars) <= 8
    assert state.removals == ()
    listed = {name for name in rig.file_names() if name.startswith("dedup/")}
    assert listed == {sidecar.path for sidecar in state.sidecars}
    assert outcome(rig) == (12, 12, 0)


def test_id_is_unique_over_endpoints_and_not_over_projects(rig: Rig) -> None:
    """Whatever the key and the worker; another project's ids are its own."""
    endpoints = {number: Endpoint(number, 1, f"e-{number}") for number in (7, 8)}
    publish_registry(rig.directory, rig.board(), Registry(2, {}, {}, {}, endpoints))
    rig.write([event(1)])
    rig.write([event(1)], endpoint=8, key=2, worker=1)
    rig.write([event(1)], project=2, key=3)
    with rig.running() as loader:
        loader.cut()
        rig.write([event(1)], endpoint=8, key=2)
        rig.write([event(1)], project=2, key=3, worker=1)
        loader.cut()
    assert [row["endpoint"] for row in rig.committed(1)] == ["e-7"]
    assert len(rig.committed(2)) == 1
    total = rig.ledger_total()
    assert (total.stored, total.duplicate, total.duplicate_conflict) == (2, 3, 0)


@pytest.mark.parametrize("length", [1, 256])
def test_ids_of_any_length_are_told_apart(rig: Rig, length: int) -> None:
    """By their whole text, whatever the script, not by how it begins or is composed."""
    ids = ["e\u0301", "\u00e9", "\u00c9", "e", "E"]
    texts = [text.rjust(length, "x") for text in ids]
    rig.write([event(1, event_id=text) for text in texts * 2])
    with rig.running() as loader:
        loader.cut()
    assert outcome(rig) == (len(ids), len(ids), 0)
