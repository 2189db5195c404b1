"""What the last bytes of an answer say, however they were cut into chunks."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.cli.events.endings import Lines, trailer_in, truncated_in_field, truncated_in_json

ROWS = [{"n": 1}, {"meta": 5}, {"error": "x"}]


@given(st.lists(st.integers(1, 30)))
def test_lines_are_the_rows_and_the_last_one_is_the_ending(sizes: list[int]) -> None:
    """Wherever chunks begin and end."""
    rows = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    rest = rows + b'{"meta":{"truncated":true,"rows":3}}\n'
    lines, written = Lines(), b""
    for size in sizes:
        written += lines.feed(rest[:size])
        rest = rest[size:]
    written += lines.feed(rest)
    left, ending = lines.close()
    assert (written, left) == (rows, b"")
    assert ending.meta is not None
    assert ending.meta.truncated is True


@pytest.mark.parametrize("last", [b"", b'{"n":1}\n', b'{"n":', b"[1]\n", b'{"meta":{"rows":1}}\n'])
def test_line_that_is_no_ending_is_not_lost(last: bytes) -> None:
    """A stream without an ending says nothing, and keeps its last line."""
    lines = Lines()
    assert lines.feed(b"{}\n" + last) + lines.close()[0] == b"{}\n" + last


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (b'{"columns":[],"rows":[],"meta":{"truncated":true,"notes":["a","b"]}}\n', True),
        (b'rows":[["x"]],"meta":{"rows":1,"truncated":false}}\n', False),
        (b'"],\\"meta\\":{\\"truncated\\":true}}"]]', None),
        (b"", None),
        (b"<html>", None),
    ],
)
def test_meta_of_json_is_found_at_its_end(end: bytes, *, told: bool | None) -> None:
    """A text of a row that looks like it is none: its quotes are escaped."""
    assert truncated_in_json(end) is told


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (b"\r\n3\r\nabc\r\n0\r\nX-Weir-Truncated: true\r\n\r\n", True),
        (b"0\r\nServer-Timing: a\r\nx-weir-truncated:false\r\nX: y\r\n\r\n", False),
        (b"1b\r\n0\r\nX-Weir-Truncated: true\r\n\r\n0\r\n\r\n", None),
        (b"X-Weir-Truncated: true\r\n0\r\n\r\n", None),
        (b"0\r\nX-Weir-Truncated: maybe\r\n\r\n", None),
        (b"0\r\nX-Weir-Truncated: true\r\n", None),
        (b"", None),
    ],
)
def test_trailer_is_behind_the_last_chunk(end: bytes, *, told: bool | None) -> None:
    """What a body holds that looks like one is none."""
    assert truncated_in_field(trailer_in(end, "X-Weir-Truncated")) is told
