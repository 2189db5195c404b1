"""Logs and metrics: every noteworthy happening emits its log line and its count together.

``Happening`` is the closed list: a stable name, a fixed sentence, a level. Fields carry the rest,
never a key, a token, a payload or a person's data. Volumes (events, requests, bytes) are the
metrics below, added to in bulk. Sums over the processes come from prometheus-client's
multi-process files, which ``PROMETHEUS_MULTIPROC_DIR`` names before this module is imported.
"""

import logging
import os
import sys
from enum import Enum
from pathlib import Path
from typing import TextIO, cast

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    start_http_server,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from weir.log_lines import LineWriter

METRICS_FILE_BYTES = 256 << 10
"""Size of the file of one kind of metric in one process; all that there are take a tenth."""

_KINDS = ("counter", "histogram", "gauge_livesum", "gauge_mostrecent")


def reserve_metrics_files(directory: Path, pid: int) -> bool:
    """Takes the room of a process's metrics files, which are mapped; False when there is none.

    Without it a full disk would kill the process (SIGBUS) at the next new metric. The names are
    prometheus-client's.
    """
    for kind in _KINDS:
        path = directory / f"{kind}_{pid}.db"
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return False
        try:
            os.posix_fallocate(descriptor, 0, METRICS_FILE_BYTES)
        except OSError:
            path.unlink(missing_ok=True)
            return False
        finally:
            os.close(descriptor)
    return True


_DIRECTORY = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
if _DIRECTORY and not reserve_metrics_files(Path(_DIRECTORY), os.getpid()):
    values.ValueClass = values.MutexValue
    """This process's metrics stay in its memory, and are missing from the sums."""


class Happening(Enum):
    """Name, level and sentence of everything that is logged."""

    NODE_STARTING = ("node_starting", "info", "Node is starting.")
    NODE_READY = ("node_ready", "info", "Node is ready.")
    NODE_STOPPING = ("node_stopping", "info", "Node is stopping.")
    NODE_STOPPED = ("node_stopped", "info", "Node has stopped.")
    FIRST_RUN = ("first_run", "info", "Made the first tenant, project and keys.")
    SETTINGS_WARNING = ("settings_warning", "warning", "A setting was not understood.")
    PLATFORM_WARNING = ("platform_warning", "warning", "A guarantee does not hold here.")
    CHILD_STARTED = ("child_started", "debug", "Child process started.")
    CHILD_ENDED = ("child_ended", "error", "Child process ended; it will be restarted.")
    CHILD_FAILED = ("child_failed", "critical", "Child process cannot go on.")
    EDGE_READY = ("edge_ready", "debug", "Edge worker accepts connections.")
    EDGE_OVERLOADED = ("edge_overloaded", "warning", "Requests are refused until there is room.")
    EDGE_RESUMED = ("edge_resumed", "info", "Requests are taken again.")
    REQUEST_FAILED = ("request_failed", "error", "A request failed inside the node.")
    RELAY_FAILED = ("relay_failed", "warning", "The api process did not answer a relayed request.")
    REGISTRY_PUBLISHED = ("registry_published", "info", "Registry published.")
    REGISTRY_UNREADABLE = ("registry_unreadable", "error", "Registry cannot be read; refusing.")
    CONTROL_WRITE_FAILED = (
        "control_write_failed",
        "error",
        "Control state could not be written; it will be retried.",
    )
    JOURNAL_SYNC_FAILED = ("journal_sync_failed", "critical", "Journal sync failed; worker ends.")
    JOURNAL_ABSENT = (
        "journal_absent",
        "error",
        "A journal cannot be opened: its worker refuses events and tries again.",
    )
    JOURNAL_TORN_TAIL = ("journal_torn_tail", "warning", "Torn tail was cut.")
    JOURNAL_CORRUPT = ("journal_corrupt", "critical", "Journal is damaged; bytes quarantined.")
    JOURNAL_UNREADABLE = ("journal_unreadable", "error", "A journal cannot be read for now.")
    JOURNAL_RECOVERED = ("journal_recovered", "info", "Journal without a worker was recovered.")
    JOURNAL_UNRECOVERED = (
        "journal_unrecovered",
        "error",
        "Journal without a worker could not be recovered; it will be retried.",
    )
    JOURNAL_EXPIRED = ("journal_expired", "debug", "Journal files below the cut were removed.")
    EDGE_SATURATED = (
        "edge_saturated",
        "warning",
        "A limit of this worker is reached: clients get 503. Told once a second.",
    )
    TALLY_UNREADABLE = (
        "tally_unreadable",
        "error",
        "A frame of the door's own counts cannot be read: refusals are missing from the ledger.",
    )
    HEAVY_TENANTS_REFUSED = (
        "heavy_tenants_refused",
        "warning",
        "Room is short: tenants that send far more than others are refused first.",
    )
    CERTIFICATE_LOADED = ("certificate_loaded", "info", "A new TLS certificate is in use.")
    CERTIFICATE_REFUSED = (
        "certificate_refused",
        "error",
        "The new TLS certificate cannot be used; the one before stays.",
    )
    LAKE_COMMITTED = ("lake_committed", "info", "Lake commit.")
    LAKE_COMMIT_FAILED = ("lake_commit_failed", "error", "Lake commit failed; it will be retried.")
    ACCELERATION_FAILED = (
        "acceleration_failed",
        "warning",
        "A lake file was written without accelerated columns: queries over it are slower.",
    )
    FILES_COMPACTED = ("files_compacted", "info", "Lake files were merged.")
    COMPACTION_FAILED = (
        "compaction_failed",
        "warning",
        "Lake files could not be merged; they stay as they are.",
    )
    UPKEEP_FAILED = (
        "upkeep_failed",
        "warning",
        "A work of the lake's upkeep failed; it will be tried again.",
    )
    LAKE_FILE_DAMAGED = (
        "lake_file_damaged",
        "critical",
        "A lake file is not what was written: its project's queries are refused.",
    )
    LAKE_FILE_RESTORED = ("lake_file_restored", "info", "A damaged lake file is whole again.")
    ORPHANS_REMOVED = (
        "orphans_removed",
        "info",
        "Files that a crash left and no commit knows were removed.",
    )
    LAKE_CLEANUP_FAILED = (
        "lake_cleanup_failed",
        "warning",
        "Files that are no longer needed could not be removed yet.",
    )
    LAKE_COMMIT_RESUMED = ("lake_commit_resumed", "info", "Unfinished lake commit was repeated.")
    FRAME_DEAD_LETTERED = ("frame_dead_lettered", "error", "A frame could not be decoded.")
    LOADER_DIED_WORKING = (
        "loader_died_working",
        "error",
        "The loader died while it worked on frames; a frame that it dies on again is put aside.",
    )
    DEAD_LETTERS_REPLAYED = ("dead_letters_replayed", "info", "Dead letters became rows.")
    LEDGER_UNBALANCED = ("ledger_unbalanced", "critical", "Accepted events lack an outcome.")
    LOADER_FENCED = ("loader_fenced", "critical", "Another loader took over; this one ends.")
    QUERY_KILLED = ("query_killed", "warning", "Query worker was killed at its limit.")
    QUERY_WORKER_FAILED = ("query_worker_failed", "error", "Query worker ended unexpectedly.")

    @property
    def label(self) -> str:
        return self.value[0]

    @property
    def level(self) -> str:
        return self.value[1]

    @property
    def sentence(self) -> str:
        return self.value[2]


HAPPENINGS = Counter("weir_happenings", "Noteworthy happenings, by name.", ["happening"])
EVENTS = Counter("weir_events", "Events at the door: accepted or rejected.", ["dialect", "result"])
REQUESTS = Counter("weir_requests", "Requests at the door, by status.", ["status"])
DOOR_BYTES = Counter("weir_door_body_bytes", "Bytes of accepted bodies, inflated.")
OUTCOMES = Counter("weir_outcomes", "Events by their final outcome.", ["outcome"])
LOG_LINES_DROPPED = Counter(
    "weir_log_lines_dropped", "Log lines that nobody took in time from standard error."
)
CHILD_ENDS = Counter("weir_child_ends", "Ends of child processes; each is restarted.", ["child"])
DISK_FREE_BYTES = Gauge(
    "weir_disk_free_bytes",
    "Free room on the disk of the data directory.",
    multiprocess_mode="mostrecent",  # a process that never sets it counts for nothing
)
JOURNAL_FILES = Gauge("weir_journal_files", "Files of all journals.", multiprocess_mode="livesum")
SYNC_SECONDS = Histogram(
    "weir_journal_sync_seconds",
    "Time of one journal write and fdatasync.",
    buckets=(0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.2, 1, 5),
)
BACKLOG_BYTES = Gauge(
    "weir_journal_backlog_bytes",
    "Bytes in the journals of all workers; at journal_backlog_bytes_max of one it refuses events.",
    multiprocess_mode="livesum",
)
TAIL_BYTES = Gauge(
    "weir_tail_bytes", "Bytes of rows in memory, not in the lake.", multiprocess_mode="livesum"
)
LAKE_FILES = Gauge("weir_lake_files", "Parquet files of the lake.", multiprocess_mode="livesum")
COMPACTED_FILES = Counter("weir_compacted_files_total", "Lake files that were merged away.")
COMMIT_SECONDS = Histogram(
    "weir_lake_commit_seconds", "Time of one lake commit.", buckets=(0.05, 0.1, 0.5, 1, 5, 30)
)
LEDGER_BALANCE = Gauge(
    "weir_ledger_balance",
    "Accepted events that no outcome explains; not 0 is a bug.",
    multiprocess_mode="livesum",
)
QUERIES = Counter("weir_queries", "Queries, by result.", ["result"])
QUERY_SECONDS = Histogram(
    "weir_query_seconds",
    "Time of one query, by result.",
    ["result"],
    buckets=(0.005, 0.02, 0.1, 0.5, 2, 10, 30),
)


class _Logging:
    """How lines are written; the library is loaded for the first one that is."""

    __slots__ = ("as_json", "is_ready", "least", "process")

    def __init__(self) -> None:
        self.process = ""
        self.as_json = False
        self.least = logging.NOTSET
        self.is_ready = True


_logging = _Logging()


def emit(happening: Happening, **fields: object) -> None:
    """Logs the happening's sentence with the fields and counts it."""
    HAPPENINGS.labels(happening.label).inc()
    if logging.getLevelNamesMapping()[happening.level.upper()] < _logging.least:
        return
    # Loading it takes a tenth of a second, and most processes have nothing to say at their start.
    import structlog

    if not _logging.is_ready:
        _prepare()
    logger = structlog.get_logger("weir")
    getattr(logger, happening.level)(happening.sentence, happening=happening.label, **fields)


def configure_logging(*, process: str, json: bool, level: str) -> None:
    """Sends log lines to standard error, as JSON or for a person's eyes."""
    _logging.process = process
    _logging.as_json = json
    _logging.least = logging.getLevelNamesMapping()[level.upper()]
    _logging.is_ready = False


def _lines_out() -> TextIO:
    """Standard error behind a queue; as it is where it is no file, as in a test."""
    try:
        descriptor = sys.stderr.fileno()
    except (AttributeError, OSError):
        return sys.stderr
    writer = LineWriter(descriptor, note_dropped=LOG_LINES_DROPPED.inc)
    return cast("TextIO", writer)


def _prepare() -> None:
    import structlog

    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if _logging.as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )

    def name_process(
        _logger: object, _method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        event["process"] = _logging.process
        return event

    structlog.configure(
        processors=[
            name_process,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        logger_factory=structlog.WriteLoggerFactory(file=_lines_out()),
    )
    _logging.is_ready = True


def serve_metrics(port: int) -> None:
    """Serves the sums over all processes at ``/metrics`` on a loopback port; 0: not at all."""
    if not port:
        return
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    start_http_server(port, addr="127.0.0.1", registry=registry)


def forget_process(pid: int) -> None:
    """Takes a dead process's gauges out of the sums."""
    mark_process_dead(pid)
