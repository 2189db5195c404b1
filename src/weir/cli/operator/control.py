"""The operator's commands reach the control state of a node, running or not."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from weir.api.client import Control, open_control, open_or_make_control
from weir.cli.command import tell
from weir.cli.node import find_settings
from weir.node.databases import check_databases
from weir.node.directory import Directory
from weir.node.node_file import check_own
from weir.settings import Settings
from weir.storage.local import check_entry
from weir.telemetry import configure_logging


@contextlib.contextmanager
def open_node(data_dir: str | None) -> Iterator[Control]:
    """The control state of the node in a directory; ``NotFound`` when there is none."""
    settings = _prepare(data_dir)
    directory = Directory(Path(settings.data_dir))
    check_entry(directory.root)
    with open_control(directory, settings) as control:
        yield control


@contextlib.contextmanager
def open_or_make_node(data_dir: str | None) -> Iterator[Control]:
    """The control state of the node in a directory, which becomes a node when it is new."""
    settings = _prepare(data_dir)
    directory = Directory(Path(settings.data_dir))
    check_entry(directory.root)
    is_new = not directory.control_db.exists()
    if is_new:
        check_own(directory)
        check_databases(directory)
    with open_or_make_control(directory, settings) as control:
        if is_new:
            tell(f"Made a new node in {directory.root.absolute()}.")
        yield control


def _prepare(data_dir: str | None) -> Settings:
    """Finds the settings; logs warnings alone, to standard error, because the rest is output."""
    settings = find_settings(data_dir=data_dir).settings
    configure_logging(process="cli", json=settings.log_format == "json", level="warning")
    return settings
