"""The way of a command to the loader of the node that runs in a directory."""

import contextlib
from collections.abc import Iterator

from weir.loader.serve.client import LoaderClient
from weir.node.directory import Directory
from weir.storage.local import check_socket


@contextlib.contextmanager
def open_loader(directory: Directory) -> Iterator[LoaderClient]:
    """A client of the loader.

    Raises ``InvalidInput`` (``file_access``) when this user may not speak to it: it is not waited
    for then, as one that is away is.
    """
    check_socket(directory.loader_socket)
    with contextlib.closing(LoaderClient(directory.loader_socket)) as client:
        yield client
