"""What all tests share: two tiers, one profile of Hypothesis, and nodes that run already."""

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests import tiers
from tests.end_to_end.running_node import Node

hypothesis.settings.register_profile(
    "weir",
    deadline=None,
    print_blob=True,
    # As a deadline, it would tell how fast the machine is at the moment.
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("weir")

KEPT_EVENTS = [{"event": f"e{number}", "event_id": f"id-{number}"} for number in range(30)]


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--all`` is the second tier: also what ``tests/tiers.py`` leaves to it."""
    parser.addoption("--all", action="store_true", help="also what make test leaves out")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what is for ``--all``; a part that is asked for by its path is run whole."""
    if config.getoption("--all") or _is_part(config):
        return
    left = [item for item in items if tiers.is_left(item.nodeid)]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if not tiers.is_left(item.nodeid)]


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Says what took long without a reason, and what was skipped and why; fails nothing."""
    stats = terminalreporter.stats
    calls = [report for report in stats.get("passed", []) if report.when == "call"]
    durations_s = {report.nodeid: report.duration for report in calls}
    slow = [f"{taken_s:5.1f} s {name}" for taken_s, name in tiers.without_reason(durations_s)]
    title = f"above {tiers.SLOW_S:.0f} s and without a reason in tests/tiers.py"
    _write(terminalreporter, title, slow)
    skipped = Counter(_reason(report) for report in stats.get("skipped", []))
    lines = [f"{count:5} {reason}" for reason, count in skipped.most_common()]
    if config.getoption("--all"):
        lines.append("  all marked soak: minutes each, make soak runs them")
    elif not _is_part(config):
        lines.append("  all that tests/tiers.py leaves to make test-all")
    _write(terminalreporter, "skipped, and why", lines)


def _is_part(config: pytest.Config) -> bool:
    """Whether paths were given."""
    return config.args_source is pytest.Config.ArgsSource.ARGS


def _reason(report: pytest.TestReport) -> str:
    """The words of a skip: its report has a tuple of path, line and words."""
    words = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return words.removeprefix("Skipped: ")


def _write(terminal: pytest.TerminalReporter, title: str, lines: Iterable[str]) -> None:
    for number, line in enumerate(lines):
        if number == 0:
            terminal.section(title)
        terminal.write_line(line)


@pytest.fixture(scope="session")
def shared_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """One node for all tests that do not disturb it; it keeps what it takes in memory."""
    node = Node(tmp_path_factory.mktemp("shared") / "node", {"WEIR_CUT_AGE_S": "3600"})
    node.start()
    yield node
    node.end()


@pytest.fixture
def own_project(shared_node: Node) -> Node:
    """The shared node with the keys of a project that no other test has."""
    return shared_node.with_new_project()


@pytest.fixture(scope="session")
def kept_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a node left that took ``KEPT_EVENTS`` and was stopped; to be copied, not to be used."""
    node = Node(tmp_path_factory.mktemp("kept") / "node", {})
    node.start()
    try:
        assert node.send("/v1/events", KEPT_EVENTS).status_code == 202
        assert node.stop() == 0
    finally:
        node.end()
    return node.directory


@pytest.fixture
def stopped_node(kept_directory: Path, tmp_path: Path) -> Iterator[Node]:
    """A node that was stopped with ``KEPT_EVENTS`` in its lake; a test may start it."""
    node = Node(tmp_path / "node", {})
    shutil.copytree(kept_directory, node.directory, ignore=shutil.ignore_patterns("run"))
    yield node
    node.end()
