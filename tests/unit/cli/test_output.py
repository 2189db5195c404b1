"""What is printed stays on its line and cannot command the terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.cli.output import print_table, show


@given(st.text())
def test_shown_text_has_no_control_character(text: str) -> None:
    """Texts come from anybody's events; none may move the cursor or end the line."""
    assert all(ord(character) >= 32 and not 127 <= ord(character) < 160 for character in show(text))


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, ""),
        (True, "true"),
        (7, "7"),
        (0.1, "0.1"),
        ("a\tb\x1b[2J", "a\\tb\\x1b[2J"),
        ({"a": [1]}, '{"a":[1]}'),
    ],
)
def test_cell_is_shown_plainly(cell: object, text: str) -> None:
    """Numbers as they are, nothing for null, JSON for what is nested."""
    assert show(cell) == text


def test_pipe_gets_tab_separated_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """A header and a line each, whatever the cells hold."""
    print_table(["a", "b"], [[1, "x\ty"], [None, "[bold]"]])
    assert capsys.readouterr().out == "a\tb\n1\tx\\ty\n\t[bold]\n"


def test_terminal_gets_a_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal rows are drawn, and markup in a text is only text."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    print_table(["plan", "n"], [["[red]pro[/red]", 2]])
    assert "[red]pro[/red]" in capsys.readouterr().out


def test_table_wider_than_the_terminal_is_a_field_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An id stays in one piece, however narrow the terminal, and empty fields take no line."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    key_id = "key_" + "a" * 32
    print_table(["id", "name", "plan"], [[key_id, None, "pro"], ["key_b", "web", ""]])
    assert capsys.readouterr().out == (f"id    {key_id}\nplan  pro\n\nid    key_b\nname  web\n")
