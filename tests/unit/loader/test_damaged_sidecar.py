"""A sidecar that is not what was written: duplicates could not be told any more."""

import pytest

from tests.unit.loader.rig import Rig, event
from weir.errors import Corrupt


@pytest.mark.parametrize("damage", [None, b"", b"WEIRIDS2", b"x" * 64])
def test_loader_waits_until_a_damaged_sidecar_is_restored(rig: Rig, damage: bytes | None) -> None:
    """It ends with what to do; afterwards everything that came meanwhile is read, once."""
    with rig.running() as loader:
        rig.write([event(1)])
        loader.cut()
    [path] = (rig.directory.root / "dedup").iterdir()
    content = path.read_bytes()
    path.unlink()
    if damage is not None:
        path.write_bytes(damage)
    rig.write([event(1), event(2)])
    with pytest.raises(Corrupt) as caught, rig.running():
        pass
    assert caught.value.hint
    path.write_bytes(content)
    with rig.running() as loader:
        loader.cut()
    assert sorted(row["event_id"] for row in rig.committed()) == ["id-1", "id-2"]
    assert rig.ledger_total().duplicate == 1
