"""Lake files are compared with their checksums: a wrong bit is found, and never served for long."""

from collections.abc import Callable

import msgspec

from tests.unit.loader.rig import Rig, event, wait_until
from weir.domain.snapshot import LakeFile
from weir.errors import Unavailable
from weir.loader.upkeep.scrub import next_part

FAST = {"compaction_interval_s": 0.01, "compaction_cpu_share": 0.0}
FILE = LakeFile("", 1, 1, 10, "2026-11-20", 0, 0, "")


def files_of(*paths: str) -> list[LakeFile]:
    """Files of ten bytes each."""
    return [msgspec.structs.replace(FILE, path=path) for path in paths]


def test_a_pass_comes_by_every_file_once() -> None:
    """In order of their paths, however they are listed, and whatever comes or goes meanwhile."""
    files = files_of("d", "b", "a", "c")
    seen: list[str] = []
    after = ""
    while part := next_part(files, after=after, bytes_max=25):
        seen += [file.path for file in part]
        after = seen[-1]
        files = [file for file in files if file.path != "a"]
    assert seen == ["a", "b", "c", "d"]


def test_file_larger_than_a_part_is_one() -> None:
    """Nothing is left out for its size."""
    [file] = next_part(files_of("a", "b"), after="", bytes_max=5)
    assert file.path == "a"


def test_a_wrong_bit_is_refused_until_the_file_is_restored(new_rig: Callable[..., Rig]) -> None:
    """Of its project alone; the other one and the events that come are not touched by it."""
    rig = new_rig(**FAST)
    with rig.running() as loader:
        rig.write([event(1)])
        rig.write([event(2)], project=2)
        loader.cut()
        [path] = loader.snapshot_files()[0]
    victim = rig.directory.root / path
    content = victim.read_bytes()
    middle = len(content) // 3
    victim.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    with rig.running() as loader:
        wait_until(lambda: _code(loader.snapshot_files) == "events_damaged")
        assert len(loader.snapshot_files(project=2)[0]) == 1
        rig.write([event(3)])
        loader.cut()
        victim.write_bytes(content)
        wait_until(lambda: _code(loader.snapshot_files) is None)
        assert len(loader.snapshot_files()[0]) == 2


def test_a_missing_file_is_damage_too(new_rig: Callable[..., Rig]) -> None:
    """Its rows may not be left out in silence."""
    rig = new_rig(**FAST)
    with rig.running() as loader:
        rig.write([event(1)])
        loader.cut()
        [path] = loader.snapshot_files()[0]
    (rig.directory.root / path).unlink()
    with rig.running() as loader:
        wait_until(lambda: _code(loader.snapshot_files) == "events_damaged")


def _code(ask: Callable[[], object]) -> str | None:
    try:
        ask()
    except Unavailable as error:
        return error.code
    return None
