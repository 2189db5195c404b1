"""Telemetry: a happening's log line and its count go together."""

import json
import re
import subprocess
import sys

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from weir.telemetry import Happening, emit


def _count(happening: Happening) -> float:
    labels = {"happening": happening.label}
    return REGISTRY.get_sample_value("weir_happenings_total", labels) or 0.0


def test_emit_logs_the_sentence_and_counts() -> None:
    """One call gives one log line with the fields and one more on the counter."""
    before = _count(Happening.LAKE_COMMITTED)
    with capture_logs() as lines:
        emit(Happening.LAKE_COMMITTED, rows=12)
    assert lines == [
        {
            "event": "Lake commit.",
            "log_level": "info",
            "happening": "lake_committed",
            "rows": 12,
        }
    ]
    assert _count(Happening.LAKE_COMMITTED) == before + 1


@pytest.mark.parametrize("happening", Happening, ids=lambda happening: happening.label)
def test_happening_has_name_level_and_sentence(happening: Happening) -> None:
    """Names are the constant's, levels are structlog's, sentences are sentences."""
    assert happening.label == happening.name.lower()
    assert happening.level in {"debug", "info", "warning", "error", "critical"}
    assert re.fullmatch(r"[A-Z].*\.", happening.sentence)


def _logged(*, json_lines: bool, level: str) -> str:
    program = (
        "from weir.telemetry import Happening, configure_logging, emit;"
        f"configure_logging(process='edge', json={json_lines}, level='{level}');"
        "emit(Happening.EDGE_READY, worker=1); emit(Happening.LOADER_FENCED, epoch=2)"
    )
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout == ""
    return ended.stderr


def test_json_lines_carry_process_level_and_time() -> None:
    """Lines go to standard error, one JSON object each; standard output stays free."""
    lines = [json.loads(line) for line in _logged(json_lines=True, level="debug").splitlines()]
    assert [line["happening"] for line in lines] == ["edge_ready", "loader_fenced"]
    assert {line["process"] for line in lines} == {"edge"}
    assert lines[1]["level"] == "critical"
    assert lines[1]["timestamp"].endswith("Z")


def test_level_hides_what_is_below_it() -> None:
    """The least level that is logged is the setting's."""
    text = _logged(json_lines=False, level="warning")
    assert "edge_ready" not in text
    assert "loader_fenced" in text
