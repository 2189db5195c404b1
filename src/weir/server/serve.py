"""``weir serve``: a node from the checks at its start to its end."""

import os
from dataclasses import replace
from pathlib import Path

from weir.clock import SystemClock
from weir.errors import InvalidInput
from weir.ingest.http.tls import Certificate
from weir.node.databases import check_databases, check_permissions
from weir.node.listening import bind, url_of
from weir.node.node_file import check_own, read_node, write_node
from weir.server.run_folder import directory_of, prepare_run
from weir.server.versions import check_versions
from weir.settings import Settings, worker_count
from weir.storage.local import FileLock, check_entry, make_root, usable


def serve(settings: Settings, *, warnings: list[str]) -> int:
    """Runs a node until SIGTERM or SIGINT; prints ``weir ready URL`` once; returns the exit code.

    Raises ``Conflict`` when another node holds the directory or the address, or the directory holds
    something else, or was written by a newer version of Weir; ``Corrupt`` when a database is found
    damaged before the node was ready.
    """
    check_entry(Path(settings.data_dir))
    Certificate.load(settings.tls_cert, settings.tls_key)
    settings = _with_absolute_files(settings)
    directory = directory_of(settings)
    clock = SystemClock()
    with usable(directory.root):
        check_own(directory)
    # In a new directory a start that is refused leaves nothing behind.
    listener = None if directory.root.exists() else bind(settings.host, settings.port)
    try:
        make_root(directory.root)
    except InvalidInput:
        if listener is not None:
            listener.close()
        raise
    lock = FileLock(directory.node_lock, purpose="The data directory is in use")
    with usable(directory.root):
        lock.acquire()
    check_permissions(directory)
    node = read_node(directory)
    check_databases(directory)
    check_versions(directory)
    listener = listener or bind(settings.host, settings.port)
    if not settings.docs_url:
        description = f"{url_of(listener, settings)}/openapi.json"
        settings = replace(settings, docs_url=description)
    with usable(directory.root):
        board = prepare_run(directory, workers=worker_count(settings), clock=clock)
    # Read by the metrics' library when it is first imported: here below, and in the children.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory.metrics)
    from weir.server.supervise import begin_serving, supervise

    begin_serving(directory, settings, listener, warnings)
    with usable(directory.root):
        write_node(directory, url=url_of(listener, settings), epoch=node.epoch)
    supervise(settings, board, listener, clock=clock)
    return 0


def _with_absolute_files(settings: Settings) -> Settings:
    """Paths that mean the same in every process of the node."""
    if not settings.tls_cert:
        return settings
    cert, key = (str(Path(path).resolve()) for path in (settings.tls_cert, settings.tls_key))
    return replace(settings, tls_cert=cert, tls_key=key)
