"""What the house rules of ``tools/tidy.py`` hold the tree to: limits, words, fences, lists.

Limits only get tighter, and lists shorter.
"""

MODULE_LINES_MAX = 500
TEST_MODULE_LINES_MAX = 800
FUNCTION_LINES_MAX = 60
PARAMETERS_MAX = 7
NESTING_MAX = 4
FILE_BYTES_MAX = 1_000_000

BANNED_WORDS = {"util", "utils", "helper", "helpers", "common", "manager", "processor", "impl"}
"""Never a part of a name."""

BANNED_NAMES = {"base", "data", "info"}
"""Never a whole name."""

IMPOSED_PARAMETERS = {("data_received", "data")}
"""Function and parameter names that the standard library chose."""

FENCES = {
    "alembic": ("*/migrations/*", "storage/database.py"),
    "click": ("cli/*",),
    "cryptography": ("tokens/signature.py",),
    "duckdb": ("engine/*",),
    "google_crc32c": ("journal/*", "loader/*", "outputs/*"),
    "httptools": ("ingest/*",),
    "httpx": ("cli/*",),
    "numpy": ("loader/*", "lake/*", "query/*"),
    "prometheus_client": ("telemetry.py",),
    "pyarrow": ("loader/*", "lake/*", "outputs/*", "query/*", "engine/*"),
    "rich": ("cli/*",),
    "sqlalchemy": ("control/*", "catalog/*", "publish/*", "storage/database.py"),
    "sqlglot": ("query/*", "outputs/*"),
    "sqlite3": ("storage/database.py", "storage/sqlite.py", "backup/*"),
    "starlette": ("api/*",),
    "structlog": ("telemetry.py",),
    "time": ("clock.py",),
    "uvicorn": ("api/*",),
    "uvloop": ("server/*", "api/run.py"),
}
"""Where under src/weir a package may be imported. ``from time import sleep`` is free: it reads
no time."""

FOLDER_MODULES_MAX = 15
"""Modules of one folder, ``__init__.py`` aside: more are several folders."""

WORLD = {
    "asyncio", "concurrent", "ctypes", "fcntl", "http.client", "httptools", "httpx", "mmap",
    "multiprocessing", "os", "random", "resource", "secrets", "select", "selectors", "shutil",
    "signal", "socket", "sqlalchemy", "sqlite3", "ssl", "starlette", "subprocess", "tempfile",
    "threading", "time", "urllib.request", "uvicorn", "uvloop",
}  # fmt: skip  # one line a package would say no more
"""What waits, reads the time, rolls dice, or reaches a disk, a network or another process."""

DISK_CALLS = {
    "chmod", "glob", "is_dir", "is_file", "iterdir", "mkdir", "read_bytes", "read_text", "rglob",
    "rmdir", "touch", "unlink", "write_bytes", "write_text",
}  # fmt: skip
"""Methods of paths that reach the disk."""

MAY_TOUCH_THE_WORLD: dict[str, tuple[str, ...]] = {
    "reads and writes files of the node's directory, or what lies beside them": (
        "backup/copying.py",
        "backup/make.py",
        "backup/manifest.py",
        "backup/moment.py",
        "backup/restore.py",
        "control/first_run.py",
        "ingest/http/tls.py",
        "ingest/overload.py",
        "journal/disk.py",
        "journal/writer.py",
        "lake/merge.py",
        "lake/store.py",
        "loader/read/journals.py",
        "loader/read/watch.py",
        "loader/tail/tail.py",
        "loader/upkeep/gauges.py",
        "node/damage.py",
        "node/databases.py",
        "node/node_file.py",
        "node/registry.py",
        "server/run_folder.py",
        "storage/local.py",
    ),
    "maps memory that processes share, or a file that is read in place": (
        "ingest/limits.py",
        "journal/state.py",
        "lake/sidecar.py",
        "node/board.py",
        "node/usage.py",
    ),
    "speaks to a database": (
        "catalog/adapter.py",
        "catalog/changes.py",
        "catalog/migrations/versions/0001_lake.py",
        "catalog/migrations/versions/0002_layouts.py",
        "catalog/migrations/versions/0003_usage.py",
        "catalog/tables.py",
        "control/keys.py",
        "control/plans.py",
        "control/projects.py",
        "control/service.py",
        "control/store/migrations/versions/0001_control_state.py",
        "control/store/migrations/versions/0002_token_keys.py",
        "control/store/registry_rows.py",
        "control/store/tables.py",
        "control/store/transactions.py",
        "control/tenants.py",
        "control/token_keys.py",
        "control/uptime.py",
        "storage/database.py",
        "storage/sqlite.py",
    ),
    "is HTTP: its library, its event loop, its threads": (
        "api/app.py",
        "api/auth.py",
        "api/client.py",
        "api/control_app.py",
        "api/reading.py",
        "api/replies.py",
        "api/routes/description.py",
        "api/routes/ledger.py",
        "api/routes/queries.py",
        "api/routes/script.py",
        "api/routes/tokens.py",
        "api/routes/traces.py",
        "api/routing.py",
        "api/run.py",
        "api/shield.py",
        "ingest/edge.py",
        "ingest/http/connection.py",
        "ingest/http/relay.py",
        "ingest/http/tls_accept.py",
        "ingest/offload.py",
    ),
    "speaks over a Unix socket to another process of the node": (
        "loader/serve/client.py",
        "loader/serve/live_ledger.py",
        "loader/serve/service.py",
        "loader/serve/wire.py",
        "node/listening.py",
        "node/sockets.py",
    ),
    "guards what several threads of the loader share, or is one of them": (
        "loader/background.py",
        "loader/commit/committer.py",
        "loader/commit/demand.py",
        "loader/run.py",
        "loader/tail/replay_queue.py",
        "loader/tail/view.py",
        "loader/upkeep/hold.py",
        "loader/upkeep/merge_process.py",
        "loader/upkeep/removals.py",
    ),
    "makes, confines, talks to or ends sandboxed processes": (
        "engine/landlock.py",
        "engine/sandbox.py",
        "engine/seccomp.py",
        "query/ask.py",
        "query/pool.py",
        "query/worker.py",
        "workers/kill.py",
        "workers/running.py",
        "workers/sandboxed.py",
        "workers/spares.py",
        "workers/wire.py",
        "workers/zygote.py",
    ),
    "starts, ends or wires processes of the node": (
        "node/process.py",
        "node/supervisor.py",
        "server/api.py",
        "server/child.py",
        "server/edge.py",
        "server/loader.py",
        "server/serve.py",
        "server/supervise.py",
    ),
    "is a command: a person's terminal, files and network": (
        "cli/backup/backup.py",
        "cli/backup/restore.py",
        "cli/doctor/disk.py",
        "cli/doctor/machine.py",
        "cli/events/dead_letters.py",
        "cli/events/ledger.py",
        "cli/events/query.py",
        "cli/events/replay.py",
        "cli/events/tail.py",
        "cli/events/trace.py",
        "cli/http.py",
        "cli/node.py",
        "cli/send/lines.py",
        "cli/send/send.py",
        "cli/send/state.py",
    ),
    "is a floor that all stand on: time, settings, logs": (
        "clock.py",
        "log_lines.py",
        "settings.py",
        "telemetry.py",
    ),
}
"""Modules that may import of ``WORLD``, by the reason; every other one decides and touches nothing:
values in, values out."""

TOUCHING_MAX = 121
"""May only be lowered."""

EXCEPTIONS: dict[str, str] = {}
"""``rule path name`` of what may stay for now, each with its reason."""

EXCEPTIONS_MAX = 0
"""May only be lowered."""
