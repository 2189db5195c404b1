"""The journal's bytes are what they were: a change here is a new format version."""

from pathlib import Path

from tests.unit.journal.fakes import QuickDisk
from weir.domain.frame import Draft, FrameFlag, FrameMeta, Place, encode_meta
from weir.journal.file import FileHeader, encode_header, file_name
from weir.journal.frame import Mark, encode_frames, seed_checksum
from weir.journal.reader import JournalReader
from weir.journal.state import STATE_NAME, JournalState

GOLDEN = Path(__file__).parents[2] / "golden" / "journal" / "07"
NOW_US = 1_800_000_000_000_000
START = Mark(1 << 33, 70_000)
HEADER = FileHeader(
    journal_id="07",
    seed=bytes(range(16)),
    start=START,
    received_floor_us=NOW_US - 5,
    created_at_us=NOW_US - 9,
)
DRAFTS = [
    Draft(Place(1, 2, 3, 4), 7, 1, 1, 0, FrameFlag.NONE, b"", b'{"event":"signup"}'),
    Draft(
        Place(0xFFFFFFFF, 5, 6, 7),
        0xFFFF,
        2,
        499,
        1,
        FrameFlag.SERVER_TS,
        encode_meta(FrameMeta(refused=(17,), content_type="application/json")),
        "[\u00e9]".encode(),
    ),
    Draft(Place(1, 2, 3, 4), 0, 1, 0, 0, FrameFlag.TALLY, b"", b"\x91\x94\x04\x01\x05\x02"),
]
TIMES = [NOW_US, NOW_US + 1, NOW_US + 2]


def test_file_bytes_are_golden() -> None:
    """Header and frames are written byte for byte as the kept file."""
    parts, _ = encode_frames(DRAFTS, TIMES, seed_checksum(HEADER.seed), start=START)
    kept = (GOLDEN / file_name(START.position)).read_bytes()
    assert encode_header(HEADER) + b"".join(parts) == kept


def test_state_bytes_are_golden(tmp_path: Path) -> None:
    """The state file is written byte for byte as the kept one."""
    _, end = encode_frames(DRAFTS, TIMES, seed_checksum(HEADER.seed), start=START)
    state = JournalState.open_or_create(tmp_path)
    state.publish(end, TIMES[-1] + 1)
    state.close()
    assert (tmp_path / STATE_NAME).read_bytes() == (GOLDEN / STATE_NAME).read_bytes()


def test_golden_journal_is_read() -> None:
    """A journal written by an earlier program of this format version can still be read."""
    batch = JournalReader(GOLDEN, disk=QuickDisk()).read(START.position, byte_limit=1 << 20)
    assert not batch.damages
    assert [frame.received_at_us for frame in batch.frames] == TIMES
    assert [frame.offset for frame in batch.frames] == [70_000, 70_001, 70_500]
    for frame, draft in zip(batch.frames, DRAFTS, strict=True):
        names = Draft.__struct_fields__
        assert [getattr(frame, name) for name in names] == [getattr(draft, name) for name in names]
