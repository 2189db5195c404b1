"""The one table of settings, and how their values are found.

Order: command-line flag, environment ``WEIR_<NAME>``, ``weir.toml`` (in the working directory or
named by ``WEIR_CONFIG``), default. A name in the file that is not in the table is an error; one
in the environment only a warning, because platforms add their own. All problems are reported at
once. Sizes are bytes (``64MiB`` may be written), times are in the unit that the name ends with.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from math import isfinite
from pathlib import Path
from typing import NamedTuple, cast

from weir.domain.networks import parse_networks
from weir.errors import InvalidInput

MIB = 1024 * 1024
GIB = 1024 * MIB
ENV_PREFIX = "WEIR_"
CONFIG_FILE = "weir.toml"
WORKERS_MAX = 64
"""Edge workers of a node: each has a slot on the board."""

Scalar = str | int | float


class Spec(NamedTuple):
    """What a setting means, and what values it may take."""

    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    is_networks: bool = False
    """A list of addresses and networks."""


def _setting(default: Scalar, help_text: str, *bounds: float | None, choices: str = "") -> Scalar:
    minimum, maximum = (*bounds, None, None)[:2]
    spec = Spec(help_text, minimum, maximum, tuple(choices.split()))
    declared: Scalar = field(default=default, metadata={"spec": spec})
    return declared


def _text(default: str, help_text: str, *, choices: str = "") -> str:
    return cast("str", _setting(default, help_text, choices=choices))


def _networks(default: str, help_text: str) -> str:
    spec = Spec(help_text, is_networks=True)
    declared: str = field(default=default, metadata={"spec": spec})
    return declared


def _whole(default: int, help_text: str, minimum: int = 0, maximum: int | None = None) -> int:
    return cast("int", _setting(default, help_text, minimum, maximum))


def _number(
    default: float, help_text: str, minimum: float = 0.0, maximum: float | None = None
) -> float:
    return cast("float", _setting(float(default), help_text, minimum, maximum))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting with its default. docs/reference/settings.md is generated from this table."""

    data_dir: str = _text("weir-data", "Directory of the node: journals, lake, databases.")
    host: str = _text("127.0.0.1", "Address that the door listens on.")
    port: int = _whole(8080, "Port that the door listens on; 0 takes a free one.", 0, 65535)
    tls_cert: str = _text("", "PEM file with the certificate chain of the door; empty: no TLS.")
    tls_key: str = _text("", "PEM file with the certificate's key, without a password.")
    workers: int = _whole(0, "Edge workers; 0 is one per core.", 0, WORKERS_MAX)
    node: str = _text("weir-1", "Name of this node, shown by /v1/health.")
    region: str = _text("local", "Region of this node, shown by /v1/health.")
    ingest_domain: str = _text(
        "", "Endpoints answer on <endpoint-id>.ingest.<this domain> too; empty: by path only."
    )
    docs_url: str = _text("", "Where error messages send people; empty: this node's description.")
    log_format: str = _text(
        "auto", "Log lines: JSON, or for a person.", choices="auto json console"
    )
    log_level: str = _text("info", "Least level logged.", choices="debug info warning error")
    metrics_port: int = _whole(0, "Loopback port of /metrics; 0 is off.", 0, 65535)

    header_bytes_max: int = _whole(32768, "Request line and headers of a request.", 1024)
    header_count_max: int = _whole(100, "Headers of a request.", 8)
    target_bytes_max: int = _whole(65536, "Request target (path and query string).", 256)
    body_bytes_max: int = _whole(5 * MIB, "Request body as received.", 1024)
    inflated_bytes_max: int = _whole(20 * MIB, "Request body after decompression.", 1024, 128 * MIB)
    event_bytes_max: int = _whole(MIB, "One event.", 256)
    shared_context_bytes_max: int = _whole(
        4 * MIB, "A shared context times the events of its request.", 1024
    )
    json_depth_max: int = _whole(64, "Nesting of JSON, the outermost value included.", 4, 512)
    connections_max: int = _whole(10000, "Open connections of one edge worker.", 1)
    connections_per_address_max: int = _whole(
        1000, "Open connections of one edge worker from one address, or IPv6 /64 network.", 1
    )
    trusted_proxies: str = _networks(
        "127.0.0.0/8, ::1",
        "Proxies (addresses, networks) that stand for many clients: not bounded as one, and"
        " believed in X-Forwarded-For.",
    )
    pipelined_requests_max: int = _whole(64, "Unanswered requests of one connection.", 1)
    in_flight_bytes_max: int = _whole(256 * MIB, "Bodies being handled by one edge worker.", MIB)
    receive_timeout_s: float = _number(
        30, "Time to receive the head of a request; window of its body's least rate.", 0.1
    )
    body_bytes_per_s_min: int = _whole(1024, "Least rate at which a request body arrives.", 1)
    keepalive_timeout_s: float = _number(75, "Idle time of a connection.", 0.1)
    drain_timeout_s: float = _number(10, "Time for open requests at shutdown.")
    rate_limit_requests: int = _whole(0, "Requests per 60 s and key; 0: no limit.")
    rate_limit_events: int = _whole(0, "Events per minute and tenant; 0: no limit.")
    token_exchanges_per_minute: int = _whole(60, "Access tokens per minute and key; then 429.", 1)
    backfill_bytes_per_s: int = _whole(
        4 * MIB, "Bytes that a worker takes of ?lane=backfill per second; then 503.", 1024
    )

    journal_file_bytes: int = _whole(64 * MIB, "Size at which a journal file is changed.", MIB)
    journal_backlog_bytes_max: int = _whole(4 * GIB, "Journal of one worker; then 503.", 4 * MIB)
    disk_reserve_bytes: int = _whole(512 * MIB, "Free disk below which events get 503.")

    cut_age_s: float = _number(60, "Greatest age of rows in the tail before a lake commit.", 0.05)
    tail_bytes_max: int = _whole(64 * MIB, "Size of the tail that makes a lake commit.", 65536)
    accelerated_columns_max: int = _whole(
        24, "Properties of a project that get columns of their own; 0: none.", 0, 200
    )
    file_bytes_max: int = _whole(
        128 * MIB, "Size that compaction does not let lake files grow beyond; bounds a merge.", MIB
    )
    compaction_files: int = _whole(8, "Lake files of like size that are merged into one.", 2, 64)
    compaction_interval_s: float = _number(5, "How often compaction looks for work.", 0.01)
    compaction_cpu_share: float = _number(
        1, "Share of one core that compaction may take over time; 0: none.", 0, 1
    )
    compaction_memory_bytes: int = _whole(256 * MIB, "Memory that a merge works in.", 64 * MIB)
    dedup_window_s: int = _whole(86400, "Time in which an event_id is unique per project.", 1)
    raw_retention_days: int = _whole(30, "How long raw payloads are kept.", 1)

    query_timeout_s: float = _number(30, "Deadline of a query.", 0.05)
    query_memory_bytes: int = _whole(GIB, "Memory of one query worker.", 128 * MIB)
    query_workers: int = _whole(4, "Query workers at the same time.", 1, 64)
    query_spares: int = _whole(2, "Query workers started ahead.", 0, 16)
    query_tenant_workers_max: int = _whole(2, "Queries of one tenant at the same time.", 1)
    query_queue_wait_s: float = _number(10, "Longest wait of a query for its turn; then 429, 503.")
    query_waiting_max: int = _whole(256, "Queries that wait for their turn; then 429 or 503.")
    query_rows_max: int = _whole(50000, "Greatest limit of a query.", 1)
    ledger_minutes_max: int = _whole(10080, "Minutes of one ledger request.", 1)
    query_sql_bytes_max: int = _whole(65536, "Length of a SQL text.", 64)


class Found(NamedTuple):
    """The effective settings, where each value came from, and what to warn about.

    ``file`` is the absolute path of the file that was read, None when there is none.
    """

    settings: Settings
    sources: dict[str, str]
    warnings: list[str]
    file: Path | None


SPECS: dict[str, Spec] = {item.name: item.metadata["spec"] for item in fields(Settings)}
DEFAULTS: dict[str, Scalar] = {item.name: cast("Scalar", item.default) for item in fields(Settings)}

_NOT_SETTINGS = {"WEIR_CACERT", "WEIR_CONFIG", "WEIR_KEY", "WEIR_URL"}
_INJECTED = re.compile(r"WEIR_(\w+_)?(SERVICE_(HOST|PORT)\w*|PORT_\d+_\w+)$")
_SIZE = re.compile(r"(\d+)\s*(KiB|MiB|GiB|TiB)$")
_FACTORS = {"KiB": 1024, "MiB": MIB, "GiB": GIB, "TiB": 1024 * GIB}


def load_settings(flags: Mapping[str, Scalar | None], environ: Mapping[str, str]) -> Found:
    """The effective settings.

    ``flags`` holds what the command line gave (None: not given). Raises ``InvalidInput`` with
    every problem found, a line each.
    """
    problems: list[str] = []
    warnings: list[str] = []
    values: dict[str, Scalar] = {}
    sources = dict.fromkeys(SPECS, "default")
    path = _find_file(environ, problems)
    layers = [
        (_file_layer(path, problems) if path else {}, "file"),
        (_environment_layer(environ, warnings), "environment"),
        ({name: value for name, value in flags.items() if value is not None}, "flag"),
    ]
    for layer, source in layers:
        for name, text in layer.items():
            value = _parse(name, text, source, problems)
            if value is not None:
                values[name] = value
                sources[name] = source
    if problems:
        raise InvalidInput(
            "\n".join([*problems, *warnings]),
            code="invalid_settings",
            hint="Correct it; docs/reference/settings.md tells each setting's name and bounds.",
        )
    return Found(_build(values), sources, warnings, path and path.absolute())


def written(name: str, value: Scalar) -> str:
    """A value as a person writes it in a settings file: sizes with a unit, as ``64MiB``."""
    if _is_size(name) and isinstance(value, int) and value:
        for unit, factor in reversed(_FACTORS.items()):
            if value % factor == 0:
                return f"{value // factor}{unit}"
    return str(value)


def _build(values: dict[str, Scalar]) -> Settings:
    return Settings(**values)  # type: ignore[arg-type]  # parsed by the table's own types


def _find_file(environ: Mapping[str, str], problems: list[str]) -> Path | None:
    named = environ.get("WEIR_CONFIG")
    path = Path(named or CONFIG_FILE)
    try:
        is_there = path.is_file()
    except OSError as error:
        # Of a directory that this user may not look into nothing is missed but what is named.
        is_there = False
        if named:
            problems.append(f"WEIR_CONFIG names {path}, which cannot be read: {error.strerror}.")
            return None
    if is_there:
        return path
    if named:
        problems.append(f"WEIR_CONFIG names {path}, which is not a file.")
    return None


def _file_layer(path: Path, problems: list[str]) -> dict[str, Scalar]:
    try:
        table = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{path} is not valid TOML: {error}.")
        return {}
    except OSError as error:
        problems.append(f"{path} cannot be read: {error.strerror}.")
        return {}
    unknown = sorted(set(table) - set(SPECS))
    problems.extend(f"{path}: there is no setting '{name}'." for name in unknown)
    return {name: value for name, value in table.items() if name in SPECS}


def _environment_layer(environ: Mapping[str, str], warnings: list[str]) -> dict[str, Scalar]:
    layer: dict[str, Scalar] = {}
    for name, text in sorted(environ.items()):
        if not name.startswith(ENV_PREFIX) or name in _NOT_SETTINGS or _is_injected(name, text):
            continue
        setting = name.removeprefix(ENV_PREFIX).lower()
        if setting in SPECS:
            layer[setting] = text
        else:
            warnings.append(f"There is no setting {name}; it is ignored.")
    return layer


def _is_injected(name: str, text: str) -> bool:
    """Kubernetes puts such names into every pod beside a service called ``weir``."""
    return bool(_INJECTED.match(name)) or text.startswith(("tcp://", "udp://"))


def _parse(name: str, text: object, source: str, problems: list[str]) -> Scalar | None:
    default, spec = DEFAULTS[name], SPECS[name]
    shown = f"{ENV_PREFIX}{name.upper()}" if source == "environment" else name
    try:
        value = _convert(text, default)
    except ValueError:
        kind = {str: "text", int: "a whole number", float: "a number"}[type(default)]
        hint = " A size is written 64MiB: KiB, MiB, GiB or TiB." if _is_size(name) else ""
        problems.append(f"{shown} ({source}): {text!r} is not {kind}.{hint}")
        return None
    if spec.choices and value not in spec.choices:
        problems.append(f"{shown} ({source}): {value!r} is not one of {', '.join(spec.choices)}.")
    if spec.is_networks and (wrong := _wrong_networks(str(value))):
        problems.append(f"{shown} ({source}): {wrong}.")
    told = written(name, value)
    if spec.minimum is not None and isinstance(value, int | float) and value < spec.minimum:
        problems.append(f"{shown} ({source}): {told} is below {written(name, spec.minimum)}.")
    if spec.maximum is not None and isinstance(value, int | float) and value > spec.maximum:
        problems.append(f"{shown} ({source}): {told} is above {written(name, spec.maximum)}.")
    return value


def _wrong_networks(text: str) -> str:
    """What is wrong with a list of networks; empty when nothing is."""
    try:
        parse_networks(text)
    except ValueError as error:
        return str(error)
    return ""


def _is_size(name: str) -> bool:
    return name.endswith(("_bytes", "_bytes_max"))


def _convert(text: object, default: Scalar) -> Scalar:
    if isinstance(default, str):
        if not isinstance(text, str) or "\0" in text:
            raise ValueError
        text.encode()  # what is not UTF-8 in the environment is no text: a ValueError too
        return text
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise ValueError
    if isinstance(default, int):
        size = _SIZE.fullmatch(text.strip()) if isinstance(text, str) else None
        if size:
            return int(size[1]) * _FACTORS[size[2]]
        if isinstance(text, float):
            raise ValueError
        return int(text)
    value = float(text)
    if not isfinite(value):
        raise ValueError
    return value


def as_environment(settings: Settings) -> dict[str, str]:
    """The settings as environment names, for handing them to child processes whole."""
    return {f"{ENV_PREFIX}{name.upper()}": str(getattr(settings, name)) for name in SPECS}


def worker_count(settings: Settings) -> int:
    """Edge workers to run: the setting, or one per core that this process may use."""
    return settings.workers or len(os.sched_getaffinity(0))
