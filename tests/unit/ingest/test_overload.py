"""The overload: events are refused while there is no room, and while nobody can tell."""

import errno
import os
from pathlib import Path

from weir.errors import Unavailable
from weir.ingest.overload import Overload, heavy_tenants


class _Journal:
    """A backlog that the test sets, or that cannot be asked for."""

    def __init__(self) -> None:
        self.backlog = 0
        self.error: OSError | None = None

    def backlog_bytes(self) -> int:
        if self.error:
            raise self.error
        return self.backlog


def _overload(directory: Path, journal: _Journal, *, reserve_bytes: int = 0) -> Overload:
    return Overload(
        directory,
        reserve_bytes=reserve_bytes,
        backlog_bytes=journal.backlog_bytes,
        backlog_bytes_max=1000,
    )


def _refusal_at_tick(overload: Overload) -> Unavailable | None:
    overload.tick()
    return _refusal(overload, 1)


def _refusal(overload: Overload, tenant_id: int) -> Unavailable | None:
    try:
        overload.check(tenant_id)
    except Unavailable as error:
        return error
    return None


def _takes_all(overload: Overload) -> bool:
    """Whether nobody is refused."""
    return overload.takes_all


def test_overload_refuses_above_the_backlog_and_takes_again(tmp_path: Path) -> None:
    """Refused while the loader is behind, taken when it has caught up."""
    journal = _Journal()
    overload = _overload(tmp_path, journal)
    assert _refusal_at_tick(overload) is None
    journal.backlog = 1001
    refusal = _refusal_at_tick(overload)
    assert refusal is not None
    assert refusal.retry_after_s
    journal.backlog = 1000
    assert _refusal_at_tick(overload) is None


def test_overload_refuses_below_the_disk_reserve(tmp_path: Path) -> None:
    """A reserve that no disk has."""
    overload = _overload(tmp_path, _Journal(), reserve_bytes=1 << 60)
    refusal = _refusal_at_tick(overload)
    assert refusal is not None
    assert "disk" in refusal.message


def test_overload_refuses_when_the_disk_cannot_be_asked(tmp_path: Path) -> None:
    """Without a descriptor left nobody knows the backlog: refuse, do not end."""
    journal = _Journal()
    overload = _overload(tmp_path, journal)
    journal.error = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    assert _refusal_at_tick(overload) is not None
    journal.error = None
    assert _refusal_at_tick(overload) is None


def test_heavy_tenants_are_refused_first_and_let_in_again(tmp_path: Path) -> None:
    """With the backlog half full one at a hundred times the others; full, everybody."""
    journal = _Journal()
    overload = _overload(tmp_path, journal)

    def send_for_a_second(heavy_sends: bool = True) -> None:
        for tenant in range(1, 51):
            overload.shares.note(tenant, 1000)
        if heavy_sends:
            overload.shares.note(99, 100_000)
        overload.tick()

    send_for_a_second()
    assert _takes_all(overload)
    journal.backlog = 501
    send_for_a_second()
    assert not _takes_all(overload)
    assert _refusal(overload, 99) is not None
    assert all(_refusal(overload, tenant) is None for tenant in range(1, 51))
    seconds = 0
    while _refusal(overload, 99) is not None:
        send_for_a_second(heavy_sends=False)
        seconds += 1
    assert 5 < seconds < 60
    journal.backlog = 1001
    overload.tick()
    assert _refusal(overload, 1) is not None
    journal.backlog = 0
    overload.tick()
    assert _takes_all(overload)


def test_equal_tenants_are_not_heavy() -> None:
    """Nor is one alone: there is nobody to protect from it."""
    assert heavy_tenants({1: 1e9}) == frozenset()
    assert heavy_tenants(dict.fromkeys(range(10), 5.0)) == frozenset()
    assert heavy_tenants({1: 10.0, 2: 1.0, 3: 1.0}) == {1}
