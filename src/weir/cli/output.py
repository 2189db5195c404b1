"""What commands print: JSON for scripts, a table for a person, tab-separated lines for a pipe.

A table that is wider than the terminal is printed a field a line, so that a cell can be copied.

Texts may come from anybody's events, so control characters are shown, never sent to a terminal.
"""

import sys
from collections.abc import Iterable, Sequence

import click
import msgspec

TABLE_WIDTH_MAX = 100_000
"""Columns of a terminal that no table needs."""

_SHOWN = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)]} | {
    ord("\t"): "\\t",
    ord("\n"): "\\n",
    ord("\r"): "\\r",
}


def encode_json(value: object) -> str:
    """Indented JSON with a line end; times are ISO 8601."""
    return msgspec.json.format(msgspec.json.encode(value)).decode() + "\n"


def print_json(value: object) -> None:
    """Writes a value to standard output as JSON."""
    click.echo(encode_json(value), nl=False)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Writes rows to standard output: drawn on a terminal, else tab-separated with a header."""
    shown = [[show(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for line in [[show(column) for column in columns], *shown]:
            click.echo("\t".join(line))
        return
    _draw_table(columns, shown)


def show(cell: object) -> str:
    """A cell's text on one line, with control characters made visible."""
    if cell is None:
        return ""
    text = cell if isinstance(cell, str) else _plain(cell)
    return text.translate(_SHOWN)


def _plain(cell: object) -> str:
    if isinstance(cell, bool | int | float):
        return str(cell).lower() if isinstance(cell, bool) else str(cell)
    encoded = msgspec.to_builtins(cell, str_keys=True)
    return encoded if isinstance(encoded, str) else msgspec.json.encode(encoded).decode()


def _draw_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(Text(show(column)), no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console()
    unbounded = console.options.update_width(TABLE_WIDTH_MAX)
    if console.measure(table, options=unbounded).maximum <= console.width:
        console.print(table)
    else:
        _print_fields([show(column) for column in columns], rows)


def _print_fields(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A field a line, those that are empty left out; the terminal wraps what is too long."""
    margin = max(map(len, columns))
    for number, row in enumerate(rows):
        if number:
            click.echo()
        for column, cell in zip(columns, row, strict=True):
            if cell:
                click.echo(f"{column:<{margin}}  {cell}")
