"""The fields that scripts read from --json: kept as they are, or changed knowingly.

The help texts' golden copy is docs/reference/cli.md.
"""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from weir.cli.main import main

FIELDS: dict[str, list[str]] = json.loads((Path(__file__).parent / "cli_json.json").read_text())


@pytest.mark.parametrize("command", FIELDS)
def test_json_has_the_fields_it_had(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names and order of the fields of an object, or of each object of a list."""
    monkeypatch.setattr("weir.cli.operator.control.configure_logging", lambda **_: None)
    with capture_logs():
        node = ["--data", str(tmp_path), "--json"]
        CliRunner().invoke(main, ["keys", "create", *node], catch_exceptions=False)
        result = CliRunner().invoke(main, [*command.split(), *node], catch_exceptions=False)
    printed = json.loads(result.stdout)
    items = printed if isinstance(printed, list) else [printed]
    assert items
    assert [list(item) for item in items] == [FIELDS[command]] * len(items)
