"""Mistakes that the simulation must notice: it could not be believed otherwise."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import msgspec
import numpy as np

from tests.simulation.machine import Bias, Faults
from weir.domain.frame import Draft
from weir.journal.appender import Appender
from weir.journal.disk import LocalDisk
from weir.journal.recovery import Survey, survey_frames
from weir.lake.sidecar import Ids
from weir.loader.read.journals import LocalJournals
from weir.loader.tail.dedup import Verdict


class Mutant(NamedTuple):
    """A mistake, and the kind of world in which it matters most."""

    build_in: Callable[[], AbstractContextManager[Any]]
    bias: Bias = Bias()
    first_seed: int = 0
    """Where to begin: just before the first history that shows a mistake few of them show."""


def _nothing(*_arguments: object, **_named: object) -> None:
    pass


def _forgetful_survey(*arguments: Any, **named: Any) -> Survey:
    found: Survey = _survey_frames(*arguments, **named)
    return msgspec.structs.replace(found, kept=())


def _no_duplicates(ids: Ids, _indexes: object, *, window_us: int) -> Verdict:
    return Verdict(np.zeros(len(ids), dtype=np.bool_), np.zeros(len(ids), dtype=np.bool_))


def _stubborn_append(self: Appender, drafts: Sequence[Draft], now_us: int) -> list[int]:
    try:
        return _append(self, drafts, now_us)
    except OSError:
        return _append(self, drafts, now_us)


def _eager_expire(self: LocalJournals, journal_id: str, *, below_position: int) -> None:
    _expire(self, journal_id, below_position=below_position + (1 << 40))


def _write_at_once(path: Path, parts: Sequence[bytes], *, mode: int = 0o600) -> None:
    path.write_bytes(b"".join(parts))
    path.chmod(mode)


_survey_frames, _append, _expire = survey_frames, Appender.append, LocalJournals.expire

_FAILING = Bias(faults=Faults(sync_fails=0.1), power_fails=True)
_POWER = Bias(power_fails=True)

MUTANTS: dict[str, Mutant] = {
    "frames are acknowledged without a sync": Mutant(
        lambda: mock.patch.object(LocalDisk, "sync", _nothing), _POWER
    ),
    "a journal file's name is not made durable": Mutant(
        lambda: mock.patch.object(LocalDisk, "sync_directory", _nothing), _POWER
    ),
    "a failed sync is tried again": Mutant(
        lambda: mock.patch.object(Appender, "append", _stubborn_append), _FAILING, first_seed=90
    ),
    "recovery forgets whole frames behind the known end": Mutant(
        lambda: mock.patch("weir.journal.recovery.survey_frames", _forgetful_survey), _POWER
    ),
    "lake files are not synced": Mutant(
        lambda: mock.patch("weir.lake.store.write_durable", _write_at_once), _POWER
    ),
    "journal files go before they are committed": Mutant(
        lambda: mock.patch.object(LocalJournals, "expire", _eager_expire)
    ),
    "duplicates are not found": Mutant(
        lambda: mock.patch("weir.loader.commit.render.find_duplicates", _no_duplicates)
    ),
    "a loader that was replaced goes on": Mutant(
        lambda: mock.patch("weir.catalog.adapter.check_epoch", _nothing)
    ),
    "replaced files go at once": Mutant(
        lambda: mock.patch("weir.loader.upkeep.replacing.REMOVAL_GRACE_S", -30.0),
        Bias(merges=True),
    ),
    "what a power cut left of the state is believed": Mutant(
        lambda: mock.patch("weir.journal.state.JournalState.is_current", True),
        Bias(faults=Faults(write_fails=0.1), power_fails=True),
    ),
}
