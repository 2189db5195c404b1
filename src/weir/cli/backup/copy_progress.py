"""How far a copy is, shown to a person on standard error."""

import contextlib
import sys
from collections.abc import Iterator

from weir.backup.make import Progress
from weir.cli.command import wants_json


class Silence:
    """Tells nothing: nobody watches."""

    def expect(self, byte_count: int) -> None:
        """Nobody asked."""

    def advance(self, byte_count: int) -> None:
        """Nobody asked."""


@contextlib.contextmanager
def shown_progress() -> Iterator[Progress]:
    """A bar on a terminal, else nothing."""
    if wants_json() or not sys.stderr.isatty():
        yield Silence()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=None)

        class Bar:
            def expect(self, byte_count: int) -> None:
                bars.update(task, total=byte_count, completed=0)

            def advance(self, byte_count: int) -> None:
                bars.advance(task, byte_count)

        yield Bar()
