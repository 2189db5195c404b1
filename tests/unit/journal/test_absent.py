"""What stands in for a journal that the disk does not let open."""

import errno

import pytest

from tests.unit.journal.fakes import Answer, FailingDisk, Open, SetClock, draft
from weir.errors import Unavailable
from weir.journal.absent import TRY_AGAIN_S, AbsentJournal


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, "disk_full"), (errno.EROFS, "journal_failed")]
)
def test_frames_are_refused_for_the_reason_of_the_disk(
    open_writer: Open, clock: SetClock, number: int, code: str
) -> None:
    """Each one, and with a time after which to come again."""
    disk = FailingDisk("create")
    disk.error = OSError(number, "refused")
    with pytest.raises(Unavailable) as opened:
        open_writer(disk=disk)
    journal = AbsentJournal(opened.value, clock=clock)
    for _ in range(2):
        with pytest.raises(Unavailable) as refused:
            journal.append(draft(), Answer())
        assert refused.value.code == code
        assert refused.value.retry_after_s
    assert journal.backlog_bytes() == 0
    journal.close()


def test_its_worker_ends_when_another_try_is_due(clock: SetClock) -> None:
    """It looks dead then, and not before."""
    journal = AbsentJournal(Unavailable("No."), clock=clock)
    assert not journal.dead
    clock.us += int(TRY_AGAIN_S * 1_000_000)
    assert journal.dead
