"""Writes docs/reference from the tables in the code; ``tests/docs`` fails when they differ.

``make docs`` runs it. What a table cannot say, the words for error codes, stands in
``error_words.py``.
"""

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path

import click
from prometheus_client.metrics import MetricWrapperBase

from tools.error_words import ERROR_WORDS
from weir import telemetry
from weir.api.routes.operator.table import VERBS
from weir.api.table import OPERATIONS
from weir.cli.command import EXIT_WORDS, Exit
from weir.cli.main import main as weir
from weir.domain.described import DescribedOperation
from weir.settings import DEFAULTS, SPECS, Spec, written
from weir.telemetry import Happening

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "reference"
HELP_WIDTH = 88

_GENERATED = "<!-- Written by `make docs` from the code; changes here are lost. -->"
_DETAIL_CODE = re.compile(r"validation\.\w+\Z")


def settings_page() -> str:
    """Every setting: default, bounds, meaning."""
    rows = [
        (f"`{name}`", _value(name), _bounds(name, SPECS[name]), SPECS[name].help) for name in SPECS
    ]
    return _page(
        "Settings",
        "A value comes from the command line, else from the environment (`WEIR_` and the name in "
        "capitals, so `WEIR_CUT_AGE_S`), else from `weir.toml` in the working directory or the "
        "file that `WEIR_CONFIG` names, else it is the default. Names ending in `_bytes` or "
        "`_bytes_max` are sizes and may be written like `64MiB`; `_s` is seconds, `_days` days. "
        "`weir config` shows what is in force and where it came from. A mistake stops the start "
        "and all mistakes are told at once.",
        _table(("setting", "default", "bounds", "meaning"), rows),
    )


def metrics_page() -> str:
    """Every metric and every happening."""
    metrics = sorted(_metrics(), key=lambda row: row[0])
    happenings = [(f"`{item.label}`", item.level, item.sentence) for item in Happening]
    return _page(
        "Metrics and log lines",
        "`metrics_port` serves the metrics of all processes of a node on the loopback address, in "
        "the Prometheus format.",
        _table(("metric", "kind", "labels", "meaning"), metrics),
        "## Happenings",
        "Whatever is worth a log line has a name. The line carries it as `happening`, and "
        "`weir_happenings_total` counts it, so an alert can be set on either. Log lines go to "
        "standard error and hold no key, no payload and no person's data.",
        _table(("happening", "level", "meaning"), happenings),
    )


def errors_page() -> str:
    """Every error code: its status and what to do."""
    found = error_codes()
    replies = [
        (f"`{code}`", ", ".join(map(str, sorted(found[code]))), ERROR_WORDS[code])
        for code in sorted(ERROR_WORDS)
        if found.get(code)
    ]
    details = [(f"`{code}`", ERROR_WORDS[code]) for code in sorted(found) if not found[code]]
    return _page(
        "Errors",
        'An error is `{"error": code, "message": text}`, with `details` where single events or '
        "fields are at fault. Codes do not change; messages may. Only 429 and 503 are worth a "
        "retry, after the seconds in `Retry-After`; a retry with the same `event_id` stores "
        "nothing twice. The command line shows the same codes with `--json`.",
        _table(("code", "status", "meaning, and what to do"), replies),
        "## Codes of single events and fields",
        "They stand in `results` of `POST /v1/events` and in `details`.",
        _table(("code", "meaning"), details),
    )


def cli_page() -> str:
    """Every command's help, word for word, and the exit codes."""
    codes = [(str(int(code)), words) for code, words in EXIT_WORDS.items()]
    assert set(EXIT_WORDS) == set(Exit)
    helps = [part for names, text in command_helps() for part in (f"## {names}", _fenced(text))]
    return _page(
        "Command line",
        "Results go to standard output, everything else to standard error. With `--json` both "
        "are JSON; `weir serve` prints exactly one line, `weir ready http://HOST:PORT`.",
        _table(("exit code", "meaning"), codes),
        *helps,
    )


def http_page() -> str:
    """Every route of a node, and every verb of its operator."""
    rows = [
        (f"`{item.method} {item.path}`", item.scope or "", _statuses(item), item.summary)
        for item in OPERATIONS
    ]
    verbs = [(f"`{verb.method} {verb.path}`", verb.summary) for verb in VERBS]
    return _page(
        "HTTP",
        "The key stands in `Authorization: Bearer KEY` or in `X-API-Key`. A running node "
        "describes itself at `/openapi.json`, with examples.",
        _table(("route", "scope", "statuses", "purpose"), rows),
        "## The operator's verbs",
        "They are served on `run/control.sock` in the data directory, to whoever may open it, and "
        "called by `weir plans`, `weir tenants`, `weir projects`, `weir keys` and `weir tokens`.",
        _table(("verb", "purpose"), verbs),
    )


PAGES: Mapping[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "metrics.md": metrics_page,
    "errors.md": errors_page,
    "cli.md": cli_page,
    "http.md": http_page,
}


def command_helps() -> Iterator[tuple[str, str]]:
    """Each command's full name and help, groups before their commands; hidden ones left out."""
    yield from _helps(weir, None, "weir")


def error_codes() -> dict[str, set[int]]:
    """The codes in the source and the statuses they are raised with; none for single events."""
    paths = sorted((ROOT / "src").rglob("*.py"), key=lambda path: path.name != "errors.py")
    trees = [ast.parse(path.read_text()) for path in paths]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    statuses = _statuses_of_kinds([node for node in nodes if isinstance(node, ast.ClassDef)])
    found: defaultdict[str, set[int]] = defaultdict(set)
    for node in nodes:
        match node:
            case ast.ClassDef(name=name) if code := _text_of(node, "default_code"):
                found[code].add(statuses[name])
            case ast.Call(func=ast.Name(id="Problem"), args=[_, ast.Constant(value=str(code)), _]):
                found[code] |= set()
            case ast.Call(func=ast.Name(id=kind), keywords=keywords):
                for code in _codes_in(keywords):
                    found[code] |= {statuses[kind]} if kind in statuses else set()
            case ast.Constant(value=str(text)) if _DETAIL_CODE.match(text):
                found[text] |= set()
    return dict(found)


def main() -> None:
    """Writes every page."""
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page())
        sys.stdout.write(f"wrote docs/reference/{name}\n")


def _page(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", _GENERATED, *parts]) + "\n"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    cells = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _fenced(text: str) -> str:
    return f"```text\n{text}\n```"


def _value(name: str) -> str:
    default = DEFAULTS[name]
    if default == "":
        return ""
    return f"`{written(name, default)}`"


def _bounds(name: str, spec: Spec) -> str:
    if spec.choices:
        return ", ".join(f"`{choice}`" for choice in spec.choices)
    parts = []
    if spec.minimum is not None:
        parts.append(f"at least {written(name, spec.minimum)}")
    if spec.maximum is not None:
        parts.append(f"at most {written(name, spec.maximum)}")
    return ", ".join(parts)


def _metrics() -> Iterator[tuple[str, str, str, str]]:
    for metric in vars(telemetry).values():
        if isinstance(metric, MetricWrapperBase):
            [family] = metric.describe()
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = ", ".join(f"`{label}`" for label in metric._labelnames)
            yield f"`{name}`", family.type, labels, family.documentation


def _statuses(operation: DescribedOperation) -> str:
    statuses = [operation.status, *operation.errors]
    assert all(HTTPStatus(status) for status in statuses)
    return ", ".join(map(str, statuses))


def _helps(
    command: click.Command, parent: click.Context | None, name: str
) -> Iterator[tuple[str, str]]:
    context = click.Context(command, parent, info_name=name, terminal_width=HELP_WIDTH)
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found is not None
            yield from _helps(found, context, child)


def _statuses_of_kinds(classes: list[ast.ClassDef]) -> dict[str, int]:
    """HTTP statuses of the error classes, inherited ones included."""
    statuses: dict[str, int] = {}
    for node in classes:
        own = _number_of(node, "status")
        inherited = [
            statuses[parent.id]
            for parent in node.bases
            if isinstance(parent, ast.Name) and parent.id in statuses
        ]
        if own is not None or inherited:
            statuses[node.name] = own if own is not None else inherited[0]
    return statuses


def _codes_in(keywords: list[ast.keyword]) -> Iterator[str]:
    for keyword in keywords:
        match keyword:
            case ast.keyword(arg="code", value=ast.Constant(value=str(code))):
                yield code


def _text_of(node: ast.ClassDef, name: str) -> str | None:
    value = _class_value(node, name)
    return value if isinstance(value, str) else None


def _number_of(node: ast.ClassDef, name: str) -> int | None:
    value = _class_value(node, name)
    return value if isinstance(value, int) else None


def _class_value(node: ast.ClassDef, name: str) -> object:
    for statement in node.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=target)], value=ast.Constant(value=value)):
                if target == name:
                    return value
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.Constant(value=value)):
                if target == name:
                    return value
    return None


if __name__ == "__main__":
    main()
