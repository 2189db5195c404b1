"""The dashboard and the alerts ask for nothing that a node does not tell."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from weir.telemetry import Happening

DEPLOY = Path(__file__).parents[2] / "deploy"
SUFFIXES = ("_bucket", "_count", "_sum", "_created")


def dashboard() -> dict[str, object]:
    """The file as Grafana imports it."""
    found: dict[str, object] = json.loads((DEPLOY / "grafana" / "weir.json").read_text())
    return found


def expressions() -> Iterator[str]:
    """Every expression of the dashboard and the rules."""
    panels = dashboard()["panels"]
    assert isinstance(panels, list)
    for panel in panels:
        yield from (target["expr"] for target in panel["targets"])
    rules = (DEPLOY / "prometheus" / "alerts.yml").read_text()
    yield from re.findall(r"^\s+expr: (.+)$", rules, re.MULTILINE)


def metrics() -> dict[str, set[str]]:
    """The names that a node tells, and the labels of each."""
    found: dict[str, set[str]] = {}
    for metric in REGISTRY.collect():
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        found[name] = {label for sample in metric.samples for label in sample.labels}
    return found


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_metrics_of_an_expression_exist(expression: str) -> None:
    """A metric that was renamed would leave an empty panel, or an alert that never fires."""
    known = set(metrics())
    named = re.findall(r"\bweir_[a-z_]+", expression)
    assert named
    for name in named:
        family = next((name.removesuffix(end) for end in SUFFIXES if name.endswith(end)), name)
        assert family in known, name


def test_happenings_and_outcomes_of_alerts_exist() -> None:
    """What an alert waits for can come."""
    text = " ".join(expressions())
    happenings = {
        label for each in re.findall(r'happening=~"([^"]+)"', text) for label in each.split("|")
    }
    assert happenings
    assert happenings <= {each.label for each in Happening}
    outcomes = {
        each for found in re.findall(r'outcome=~?"([^"]+)"', text) for each in found.split("|")
    }
    assert outcomes == {"lost", "quarantined", "dead_lettered"}


def test_panels_do_not_overlap_and_name_no_source_of_ours() -> None:
    """It can be imported anywhere: the data source is asked for."""
    panels = dashboard()["panels"]
    assert isinstance(panels, list)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(places) == len({panel["id"] for panel in panels})
    assert {panel["datasource"]["uid"] for panel in panels} == {"${source}"}
    assert all(panel["description"] for panel in panels)
