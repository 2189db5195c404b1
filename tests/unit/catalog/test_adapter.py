"""The catalog: one transaction per commit, one loader at a time, sums that add up."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy.exc import IntegrityError

from weir.catalog.adapter import SqlCatalog
from weir.catalog.tables import COUNTS
from weir.domain.layout import Accelerated, Column, ColumnKind, Exact, Layout
from weir.domain.outcome import LedgerRow
from weir.domain.snapshot import LakeFile
from weir.errors import Conflict, Corrupt, Unavailable
from weir.lake.records import (
    Commit,
    DeadLetter,
    Intent,
    JournalMark,
    RawFile,
    Removal,
    SidecarFile,
    Span,
    UsageRow,
)
from weir.storage import database
from weir.storage.database import sqlite_url

WHOLE: dict[str, Any] = {"key_ids": None, "from_minute": 0, "to_minute": 10**9}


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqlCatalog]:
    """A fresh catalog."""
    opened = SqlCatalog.open(sqlite_url(tmp_path / "catalog.db"))
    yield opened
    opened.close()


COLUMN = Column(Accelerated("/a b", ColumnKind.FLOAT), Exact.NUMBER)
LAYOUT = Layout(2**62, 1, (COLUMN,))


def make_commit(commit_id: int, **fields: Any) -> Commit:
    """A commit with one file of everything."""
    stem = f"{commit_id:08d}"
    intent = Intent(commit_id, 5, 6, 7, {"00": Span(0, 10, 0, 2)}, {7: "e"})
    commit = Commit(
        intent=intent,
        committed_at_us=100 + commit_id,
        files=(LakeFile(f"lake/{stem}", 1, 2, 300, "2026-09-21", -5, 6, "ab", LAYOUT.id),),
        layouts=(LAYOUT,),
        raw_files=(RawFile(f"raw/{stem}", 1, 1, 50, 1000 + commit_id, "cd"),),
        sidecars=(SidecarFile(f"dedup/{stem}", 2, 64, 1, 2, "ef"),),
        dead_letters=(DeadLetter(1, 4, 900, "why", "00", 3, 1, f"raw/{stem}"),),
        ledger=(LedgerRow(4, 10, received=3, rejected=1, accepted=2, stored=1, dead_lettered=1),),
        usage=(UsageRow("00", 3, 680, 2, 1),),
        spans={"00": Span(0, 10 * commit_id, 0, 2 * commit_id)},
        retired=(),
    )
    return msgspec.structs.replace(commit, **fields)


def put(catalog: SqlCatalog, epoch: int, commit: Commit) -> None:
    """Intent and commit."""
    catalog.record_intent(epoch, commit.intent)
    catalog.commit(epoch, commit)


def test_usage_adds_up_once_per_commit(catalog: SqlCatalog) -> None:
    """By journal, tenant and month; a commit that comes twice counts once."""
    epoch = catalog.take_over()
    put(catalog, epoch, make_commit(1))
    put(catalog, epoch, make_commit(1))
    other = UsageRow("01", 3, 680, 5, 0)
    later = UsageRow("00", 3, 681, 1, 0)
    put(catalog, epoch, make_commit(2, usage=(UsageRow("00", 3, 680, 7, 2), other, later)))
    assert sorted(catalog.usage(680), key=lambda row: row.journal_id) == [
        UsageRow("00", 3, 680, 9, 3),
        other,
    ]
    assert catalog.usage(681) == [later]


def test_fresh_catalog_is_empty(catalog: SqlCatalog) -> None:
    """Nothing is committed, and the first loader has epoch 1."""
    state = catalog.load()
    assert (state.commit_id, state.files, state.journals, state.intent) == (0, (), {}, None)
    assert catalog.take_over() == 1


def test_commit_is_loaded_again(catalog: SqlCatalog) -> None:
    """Everything that a commit said is there after it, and its intent is done."""
    epoch = catalog.take_over()
    commit = make_commit(1)
    catalog.record_intent(epoch, commit.intent)
    assert catalog.load().intent == commit.intent
    catalog.commit(epoch, commit)
    state = catalog.load()
    assert state.commit_id == 1
    assert state.committed_at_us == 101
    assert state.files == commit.files
    assert state.layouts == commit.layouts
    assert state.sidecars == commit.sidecars
    assert state.journals == {"00": JournalMark(10, 2)}
    assert state.intent is None
    assert state.explained == 2
    assert catalog.dead_letters(1, limit=5) == list(commit.dead_letters)
    assert catalog.dead_letters(2, limit=5) == []
    assert catalog.ledger(**WHOLE) == list(commit.ledger)


def test_repeated_commit_changes_nothing(catalog: SqlCatalog) -> None:
    """A commit that is in already is not added a second time."""
    epoch = catalog.take_over()
    put(catalog, epoch, make_commit(1))
    before = catalog.load()
    put(catalog, epoch, make_commit(1))
    assert catalog.load() == before
    assert catalog.ledger(**WHOLE)[0].stored == 1


def test_failing_commit_leaves_no_trace(catalog: SqlCatalog) -> None:
    """One row that cannot be stored undoes the whole transaction."""
    epoch = catalog.take_over()
    put(catalog, epoch, make_commit(1))
    broken = make_commit(2, files=make_commit(1).files)
    catalog.record_intent(epoch, broken.intent)
    before = catalog.load()
    with pytest.raises(IntegrityError):
        catalog.commit(epoch, broken)
    assert catalog.load() == before


def test_fenced_loader_changes_nothing(catalog: SqlCatalog) -> None:
    """After a take-over every change of the old loader is refused."""
    old = catalog.take_over()
    commit = make_commit(1)
    catalog.record_intent(old, commit.intent)
    new = catalog.take_over()
    changes: list[Callable[[], None]] = [
        lambda: catalog.record_intent(old, make_commit(2).intent),
        lambda: catalog.commit(old, commit),
        lambda: catalog.forget_removals(old, ["x"]),
    ]
    for change in changes:
        with pytest.raises(Conflict) as caught:
            change()
        assert caught.value.code == "fenced"
    assert catalog.load().commit_id == 0
    put(catalog, new, commit)
    assert catalog.load().commit_id == 1


def test_ledger_adds_up_and_selects(catalog: SqlCatalog) -> None:
    """Counts of a key and minute are summed over commits; ranges are half-open."""
    epoch = catalog.take_over()
    for commit_id in (1, 2):
        rows = (LedgerRow(4, 10, **dict.fromkeys(COUNTS, 1)), LedgerRow(5, 10 + commit_id))
        put(catalog, epoch, make_commit(commit_id, ledger=rows))
    summed = LedgerRow(4, 10, **dict.fromkeys(COUNTS, 2))
    assert catalog.ledger(**WHOLE) == [summed, LedgerRow(5, 11), LedgerRow(5, 12)]
    assert catalog.ledger(key_ids=[5], from_minute=11, to_minute=12) == [LedgerRow(5, 11)]
    assert catalog.ledger(key_ids=range(2000), from_minute=0, to_minute=11) == [summed]
    assert catalog.ledger(key_ids=[], from_minute=0, to_minute=99) == []


def test_retired_files_leave_the_lists_until_they_are_removed(catalog: SqlCatalog) -> None:
    """They are out with the commit that retires them and remembered until they are gone."""
    epoch = catalog.take_over()
    put(catalog, epoch, make_commit(1))
    retired = ("dedup/00000001", "raw/00000001")
    put(catalog, epoch, make_commit(2, retired=retired))
    state = catalog.load()
    assert [sidecar.path for sidecar in state.sidecars] == ["dedup/00000002"]
    assert state.removals == tuple(Removal(path) for path in retired)
    assert catalog.expired_raw(before_us=1003, limit=9) == ["raw/00000002"]
    assert catalog.expired_raw(before_us=1002, limit=9) == []
    catalog.forget_removals(epoch, retired)
    assert catalog.load().removals == ()


def test_damaged_catalog_is_told_as_such(tmp_path: Path) -> None:
    """No SQL, and what to do."""
    path = tmp_path / "catalog.db"
    path.write_bytes(b"x" * 4096)
    with pytest.raises(Corrupt) as caught:
        SqlCatalog.open(sqlite_url(path))
    assert "SELECT" not in str(caught.value)
    assert caught.value.hint


def test_locked_catalog_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another program holds it; afterwards it is there as before."""
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 10)
    path = tmp_path / "catalog.db"
    catalog = SqlCatalog.open(sqlite_url(path))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Unavailable) as caught:
            catalog.take_over()
        assert caught.value.code == "catalog_unavailable"
        other.execute("ROLLBACK")
    assert catalog.take_over() == 1
    catalog.close()
