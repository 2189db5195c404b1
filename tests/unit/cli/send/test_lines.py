"""NDJSON into batches: nothing of an event changes but a missing id."""

import gzip
import io
import itertools
import json
import os
import threading

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from weir.cli.send.lines import (
    BATCH_BYTES,
    LINE_BYTES_MAX,
    WAIT_S,
    Batch,
    Line,
    Reject,
    arriving_lines,
    file_lines,
    prepare_line,
    read_batches,
)
from weir.errors import InvalidInput

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
events = st.dictionaries(st.text(max_size=8) | st.just("event_id"), values, max_size=5)


def _batches(text: bytes, events_max: int = 1000) -> list[Batch]:
    return list(read_batches(file_lines(io.BytesIO(text)), run="r", events_max=events_max))


@given(events)
def test_only_a_missing_event_id_is_added(event: dict[str, object]) -> None:
    """Every member stays as it was; an id that is there is never replaced."""
    text = json.dumps(event).encode()
    prepared = prepare_line(3, text, run="r")
    assert isinstance(prepared, Line)
    sent = json.loads(prepared.event)
    if event.get("event_id") is None:
        assert sent == event | {"event_id": "r-3"}
    else:
        assert prepared.event == text


def test_text_of_an_event_is_sent_as_it_stands() -> None:
    """Numbers of any size and the order and spelling of members survive."""
    text = b' {"n": 1234567890123456789012345678901234567890.10, "u": "\\u00e9"}\r\n'
    prepared = prepare_line(1, b"\xef\xbb\xbf" + text, run="r")
    assert isinstance(prepared, Line)
    assert prepared.event == text.strip()[:-1] + b',"event_id":"r-1"}'


@pytest.mark.parametrize("text", [b"[1]", b'"a"', b"{", b"nonsense", b"{}{}", b"[" * 100_000])
def test_line_that_is_no_object_is_rejected_here(text: bytes) -> None:
    """What cannot carry an id is not sent at all."""
    prepared = prepare_line(7, text, run="r")
    assert isinstance(prepared, Reject)
    assert (prepared.line, prepared.code) == (7, "invalid_json")


def test_line_numbers_count_empty_lines() -> None:
    """A rejected line is found in an editor by its number."""
    [batch] = _batches(b'\n{"event":"a"}\n\n  \nnonsense\n{"event":"b"}')
    assert [line.number for line in batch.lines] == [2, 6]
    assert [reject.line for reject in batch.rejects] == [5]


@given(st.lists(st.integers(0, 30), max_size=40), st.integers(1, 7))
def test_batches_hold_every_line_once_in_order(sizes: list[int], events_max: int) -> None:
    """However a file is cut, its lines come once, in order, and no batch is too large."""
    text = b"".join(b'{"event":"%s"}\n' % (b"x" * size) for size in sizes)
    batches = _batches(text, events_max)
    numbers = [line.number for batch in batches for line in batch.lines]
    assert numbers == list(range(1, len(sizes) + 1))
    assert all(0 < len(batch.lines) <= events_max for batch in batches)
    assert not batches or batches[-1].end.read_bytes == len(text)


def test_rejects_alone_fill_batches_too() -> None:
    """A file of nonsense does not gather in memory."""
    batches = _batches(b"nonsense\n" * 25, events_max=10)
    assert [len(batch.rejects) for batch in batches] == [10, 10, 5]


def test_batch_is_closed_before_it_grows_too_large() -> None:
    """Bytes bound a batch too; a long line goes alone."""
    long_line = b'{"event":"%s"}\n' % (b"x" * BATCH_BYTES)
    batches = _batches(b'{"event":"a"}\n' + long_line + b'{"event":"b"}\n{"event":"c"}\n')
    assert [len(batch.lines) for batch in batches] == [1, 1, 2]


def test_endless_line_is_rejected_and_skipped() -> None:
    """A file without line ends neither fills the memory nor hides what follows."""
    text = b'{"event":"%s"}\n{"event":"b"}\n' % (b"x" * (2 * LINE_BYTES_MAX))
    [batch] = _batches(text)
    assert [reject.code for reject in batch.rejects] == ["payload_too_large"]
    assert [line.number for line in batch.lines] == [2]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b'  {"a":NaN}', 'near byte 8, at {"a":NaN}'),
        (b'{"a":1', "ends too early, at byte 6"),
        (b"{}{}", "trailing characters near byte 4"),
        (b"[1]", "is JSON, but not an object"),
        (b'{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_bad_line_is_told_what_is_wrong_and_where(text: bytes, words: str) -> None:
    """A person finds the mistake without trying."""
    prepared = prepare_line(7, text, run="r")
    assert isinstance(prepared, Reject)
    assert words in prepared.message


@pytest.mark.parametrize(
    ("text", "program"),
    [(gzip.compress(b"{}\n"), "zcat"), (zstd.compress(b"{}\n"), "zstdcat")],
    ids=["gzip", "zstd"],
)
def test_compressed_file_is_refused_with_the_program_that_opens_it(
    text: bytes, program: str
) -> None:
    """Not a list of nonsensical lines, but what to type instead."""
    with pytest.raises(InvalidInput) as caught:
        _batches(text)
    assert f"{program} FILE | weir send -" in str(caught.value)


def test_pipe_and_file_have_the_same_lines() -> None:
    """However lines arrive, the too long one included, they are cut alike."""
    text = b'{"event":"a"}\n\n' + b"x" * (LINE_BYTES_MAX + 9) + b'\n{"event":"b"}'
    reading, writing = os.pipe()
    thread = threading.Thread(target=_write_all, args=(writing, text))
    thread.start()
    arrived = [line for line in arriving_lines(reading, monotonic_s=lambda: 0.0) if line]
    thread.join()
    os.close(reading)
    [from_pipe] = read_batches(arrived, run="r", events_max=10)
    [from_file] = _batches(text)
    assert (from_pipe.lines, from_pipe.rejects) == (from_file.lines, from_file.rejects)


def _write_all(fd: int, text: bytes) -> None:
    with os.fdopen(fd, "wb") as pipe:
        pipe.write(text)


def test_line_of_a_slow_pipe_does_not_wait_for_a_full_batch() -> None:
    """What has come is handed on when its time is over, while the pipe stays open."""
    reading, writing = os.pipe()
    os.write(writing, b'{"event":"a"}\n')
    seconds = itertools.chain([0.0, 0.0], itertools.repeat(WAIT_S))
    lines = arriving_lines(reading, monotonic_s=lambda: next(seconds))
    batch = next(read_batches(lines, run="r", events_max=1000))
    assert [line.number for line in batch.lines] == [1]
    os.close(writing)
    os.close(reading)


def test_empty_file_has_no_batches() -> None:
    """Nothing to send is no request."""
    assert _batches(b"\n \n") == []
