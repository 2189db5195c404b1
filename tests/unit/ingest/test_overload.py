"""The gate: closed while there is no room, and while nobody can tell."""

import errno
import os
from pathlib import Path

from weir.errors import Unavailable
from weir.ingest.overload import Gate, heavy_tenants


class _Journal:
    """A backlog that the test sets, or that cannot be asked for."""

    def __init__(self) -> None:
        self.backlog = 0
        self.error: OSError | None = None

    def backlog_bytes(self) -> int:
        if self.error:
            raise self.error
        return self.backlog


def _gate(directory: Path, journal: _Journal, *, reserve_bytes: int = 0) -> Gate:
    return Gate(
        directory,
        reserve_bytes=reserve_bytes,
        backlog_bytes=journal.backlog_bytes,
        backlog_bytes_max=1000,
    )


def _looks(gate: Gate) -> Unavailable | None:
    gate.look()
    return _refusal(gate, 1)


def _refusal(gate: Gate, tenant_id: int) -> Unavailable | None:
    try:
        gate.check(tenant_id)
    except Unavailable as error:
        return error
    return None


def _is_open(gate: Gate) -> bool:
    """Whether nobody is refused."""
    return gate.is_open


def test_the_gate_closes_above_the_backlog_and_opens_again(tmp_path: Path) -> None:
    """Refused while the loader is behind, taken when it has caught up."""
    journal = _Journal()
    gate = _gate(tmp_path, journal)
    assert _looks(gate) is None
    journal.backlog = 1001
    refusal = _looks(gate)
    assert refusal is not None
    assert refusal.retry_after_s
    journal.backlog = 1000
    assert _looks(gate) is None


def test_the_gate_closes_below_the_disk_reserve(tmp_path: Path) -> None:
    """A reserve that no disk has."""
    gate = _gate(tmp_path, _Journal(), reserve_bytes=1 << 60)
    refusal = _looks(gate)
    assert refusal is not None
    assert "disk" in refusal.message


def test_the_gate_closes_when_the_disk_cannot_be_asked(tmp_path: Path) -> None:
    """Without a descriptor left nobody knows the backlog: refuse, do not end."""
    journal = _Journal()
    gate = _gate(tmp_path, journal)
    journal.error = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    assert _looks(gate) is not None
    journal.error = None
    assert _looks(gate) is None


def test_heavy_tenants_are_refused_first_and_let_in_again(tmp_path: Path) -> None:
    """With the backlog half full one at a hundred times the others; full, everybody."""
    journal = _Journal()
    gate = _gate(tmp_path, journal)

    def send_for_a_second(heavy_sends: bool = True) -> None:
        for tenant in range(1, 51):
            gate.shares.note(tenant, 1000)
        if heavy_sends:
            gate.shares.note(99, 100_000)
        gate.look()

    send_for_a_second()
    assert _is_open(gate)
    journal.backlog = 501
    send_for_a_second()
    assert not _is_open(gate)
    assert _refusal(gate, 99) is not None
    assert all(_refusal(gate, tenant) is None for tenant in range(1, 51))
    seconds = 0
    while _refusal(gate, 99) is not None:
        send_for_a_second(heavy_sends=False)
        seconds += 1
    assert 5 < seconds < 60
    journal.backlog = 1001
    gate.look()
    assert _refusal(gate, 1) is not None
    journal.backlog = 0
    gate.look()
    assert _is_open(gate)


def test_equal_tenants_are_not_heavy() -> None:
    """Nor is one alone: there is nobody to protect from it."""
    assert heavy_tenants({1: 1e9}) == frozenset()
    assert heavy_tenants(dict.fromkeys(range(10), 5.0)) == frozenset()
    assert heavy_tenants({1: 10.0, 2: 1.0, 3: 1.0}) == {1}
