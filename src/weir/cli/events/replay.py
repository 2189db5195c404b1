"""``weir dead-letters replay``: dead letters go through decode again, each at most once."""

import asyncio
from collections.abc import Iterator, Sequence

from weir.cli.loader import open_loader
from weir.cli.node import loader_runs
from weir.errors import Unavailable
from weir.lake.records import DeadLetter
from weir.loader.values import ReplayFate
from weir.node.directory import Directory

LETTERS_AT_ONCE = 100

GONE = "It was replayed by somebody else."


def replay_letters(directory: Directory, letters: Sequence[DeadLetter]) -> Iterator[ReplayFate]:
    """The fate of each letter, as it is decided; what was stored is in the lake by then.

    Raises ``Unavailable`` when no node runs in the directory or its loader is too busy; what is
    not told by then may be done all the same, and asking again does no harm.
    """
    if not loader_runs(directory):
        raise Unavailable(
            f"No node runs in {directory.root}: its loader stores what is replayed.",
            code="node_not_running",
            hint="Start it with: weir serve",
        )
    with open_loader(directory) as client:
        for project_id in sorted({letter.project_id for letter in letters}):
            of_project = [each for each in letters if each.project_id == project_id]
            waiting = [(each.journal_id, each.position) for each in of_project]
            while waiting:
                some = waiting[:LETTERS_AT_ONCE]
                fates = asyncio.run(client.replay(project_id, some))
                told = {(fate.journal_id, fate.position) for fate in fates}
                yield from fates
                if not told:  # else they were too many for one go
                    yield from (ReplayFate(*place, reason=GONE) for place in some)
                    told = set(some)
                waiting = [place for place in waiting if place not in told]
