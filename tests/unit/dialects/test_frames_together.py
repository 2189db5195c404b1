"""Frames that are decoded together are decoded as each is alone: in every dialect, for any mix."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.dialects.making import FORMATS, LIMITS, body_of, values_of
from tests.unit.dialects.test_agreement import batches
from weir.dialects.edgemq import events as edgemq
from weir.dialects.port import IngestRoute, Submission
from weir.dialects.shapes import Shape
from weir.dialects.table import ROUTES, dialects_by_code
from weir.domain.event import Event
from weir.domain.frame import Frame, Place
from weir.errors import InvalidInput, WeirError
from weir.lake.sidecar import concat_ids
from weir.loader.read.rows import Block, build_block, decode_frames

START_US = 1_790_000_000_000_000
NDJSON = b"application/x-ndjson"
BROKEN = (b"", b"{", b"nonsense", b"\xff\xfe", b"[1]", b'{"event":"a"}\n{"event":"b"}', b"[" * 3000)
"""Bodies that no door has admitted as one event."""

RECORDS = (b'{"event":"a","ts":"2026-01-02T03:04:05Z"}', b"no json", b"\xff", b'{"type":1}', b"[]")
DIALECTS = dialects_by_code()


@st.composite
def admitted(draw: st.DrawFn, route: IngestRoute) -> Frame | None:
    """A frame of what a route takes of a body; None where it takes nothing."""
    content_type = None
    if route.bodies is None:
        body = b"\n".join(draw(st.lists(st.sampled_from(RECORDS), min_size=1, max_size=3)))
        content_type = draw(st.sampled_from((None, NDJSON)))
    else:
        path = next(path for path, bodies in FORMATS.items() if bodies is route.bodies)
        texts = draw(batches(path))
        shapes: Sequence[Shape] = route.bodies.shapes
        body = body_of(path, draw(st.sampled_from(shapes)), [text.encode() for text in texts])
    try:
        admission = route.admit(Submission(body, LIMITS, "abcd", 7, content_type))
    except WeirError:
        return None
    if not admission.event_count:
        return None
    return _frame(
        route, admission.body or body, admission.event_count,
        refused_count=admission.refused_count, meta=admission.meta,
    )  # fmt: skip


@st.composite
def frames_of(draw: st.DrawFn, routes: Sequence[IngestRoute]) -> list[Frame]:
    """Frames of some routes in the order of one journal: mostly good ones, some broken."""
    found: list[Frame] = []
    for _ in range(draw(st.integers(1, 8))):
        route = draw(st.sampled_from(routes))
        if draw(st.integers(0, 7)) == 0:
            frame = _frame(route, draw(st.sampled_from(BROKEN)), draw(st.integers(1, 2)))
        else:
            frame = draw(admitted(route)) or _frame(route, b"{}", 1)
        position = len(found)
        found.append(_moved(frame, position, project=draw(st.sampled_from((3, 1, 2)))))
    return found


def _frame(
    route: IngestRoute, body: bytes, count: int, *, refused_count: int = 0, meta: bytes = b""
) -> Frame:
    return Frame(
        journal_id="00", position=0, next_position=8, offset=0, received_at_us=START_US,
        place=Place(1, 1, 1, 1), dialect=route.dialect.code,
        dialect_version=route.dialect_version, event_count=count, refused_count=refused_count,
        flags=0, meta=meta, body=body,
    )  # fmt: skip


def _moved(frame: Frame, number: int, *, project: int) -> Frame:
    """The frame at a place of its own, in a project."""
    fields = {name: getattr(frame, name) for name in Frame.__struct_fields__}
    fields |= {
        "position": number * 8,
        "next_position": number * 8 + 8,
        "received_at_us": START_US + number,
        "place": Place(1, project, 1, 1),
    }
    return Frame(**fields)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
@given(drawn=st.data())
@settings(max_examples=40)
def test_decoding_together_gives_what_each_gives_alone(
    route: IngestRoute, drawn: st.DataObject
) -> None:
    """The same events in the same order; where one is broken, all together say so."""
    frames = drawn.draw(frames_of([route]))
    alone: list[Event] = []
    for frame in frames:
        try:
            own = route.dialect.decode([frame])
        except Exception as error:  # a body may break a decoder in any way
            with pytest.raises(type(error)):
                route.dialect.decode(frames)
            return
        assert len(own) == frame.event_count
        alone.extend(own)
    together = route.dialect.decode(frames)
    assert [values_of(event) for event in together] == [values_of(event) for event in alone]


@given(frames=frames_of(ROUTES))
@settings(max_examples=80)
def test_rows_of_frames_together_are_those_of_each_alone(frames: list[Frame]) -> None:
    """Rows, ids, hashes, and which frame is dead and why: however frames are mixed."""
    together = _block(frames)
    alone = [_block([frame]) for frame in frames]
    living = sorted(
        (each for each in alone if each.frames), key=lambda each: each.frames[0].place.project_id
    )
    assert list(together.frames) == [each.frames[0] for each in living]
    assert Counter(together.dead) == Counter(dead for each in alone for dead in each.dead)
    assert together.rows.to_pylist() == [row for each in living for row in each.rows.to_pylist()]
    ids, own = together.ids, concat_ids([each.ids for each in living])
    assert (ids.hi.tolist(), ids.lo.tolist()) == (own.hi.tolist(), own.lo.tolist())
    assert ids.received_us.tolist() == own.received_us.tolist()
    assert ids.body.tolist() == own.body.tolist()
    assert together.index.tolist() == [place for each in living for place in each.index.tolist()]


@pytest.mark.parametrize("count", [1, 2, 3, 50])
def test_poisoned_frame_loses_only_itself(count: int) -> None:
    """Wherever it stands among neighbours of its dialect."""
    route = next(route for route in ROUTES if route.bodies is not None)
    good = [
        _moved(_frame(route, b'{"event":"e%d"}' % number, 1), number, project=1)
        for number in range(count)
    ]
    for at in range(count):
        for body in BROKEN:
            poisoned = [*good]
            poisoned[at] = _moved(_frame(route, body, 1), at, project=1)
            block = _block(poisoned)
            assert [dead.frame for dead in block.dead] == [poisoned[at]]
            assert list(block.frames) == [*good[:at], *good[at + 1 :]]


def test_wrong_counts_that_make_up_for_each_other_are_noticed() -> None:
    """Two events in one frame and none in the next are not one in each."""
    for decode in (ROUTES[0].dialect.decode, edgemq.make_routes(5)[0].dialect.decode):
        frames = [_frame(ROUTES[0], b'{"event":"e"}', count) for count in (2, 0)]
        with pytest.raises(InvalidInput):
            decode(frames)


def _block(frames: Sequence[Frame]) -> Block:
    return build_block(decode_frames(frames, DIALECTS), DIALECTS, {1: "endpoint"})
