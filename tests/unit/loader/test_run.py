"""The loader from journal to lake: what is visible, what is committed, what is counted."""

from tests.unit.loader.rig import Rig


def event(number: int, **fields: object) -> dict[str, object]:
    """A small event with an id of its own."""
    return {"event": "e", "event_id": f"id-{number}", "properties": {"n": number}, **fields}


def test_events_are_visible_then_committed(rig: Rig) -> None:
    """Rows stand in the tail at once and in a file after a cut, never in both."""
    rig.write([event(1), event(2)])
    with rig.running() as loader:
        tail = loader.wait_for_rows(2)
        assert tail["event_id"].to_pylist() == ["id-1", "id-2"]
        assert loader.snapshot_files()[0] == ()
        assert loader.cut().commit_id == 1
        files, tail = loader.snapshot_files()
        assert len(files) == 1
        assert tail is None
    rows = rig.committed()
    assert [row["event_id"] for row in rows] == ["id-1", "id-2"]
    assert rows[0]["endpoint"] == "e-7"
