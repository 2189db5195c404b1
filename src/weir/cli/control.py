"""The operator's commands reach the control state of a node, running or not."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from weir.api.control_client import Control, open_control
from weir.cli.node import find_settings
from weir.domain.directory import Directory
from weir.telemetry import configure_logging


@contextlib.contextmanager
def open_node(data_dir: str | None) -> Iterator[Control]:
    """The control state of the node in a directory, which is made when it is new.

    Only warnings are logged, to standard error: standard output is the command's.
    """
    settings = find_settings(data_dir=data_dir).settings
    configure_logging(process="cli", json=settings.log_format == "json", level="warning")
    with open_control(Directory(Path(settings.data_dir)), settings) as control:
        yield control
