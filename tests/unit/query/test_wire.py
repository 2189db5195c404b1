"""Messages between pool and worker."""

import os
import socket
import threading

import msgspec
import pytest

from weir.query.ranges import Range, Window
from weir.query.request import Format
from weir.query.wire import JOB_HEAD, Job, JobFile, JobFiles, receive_job

JOB = Job(
    sql="SELECT 1" * 50_000,
    sql_bytes_max=10,
    format=Format.CSV,
    row_limit=5,
    safe=True,
    with_meta=False,
    layouts=(JobFiles((JobFile("/a", 1, 2, Window(Range(3, 4))),), ()),),
    tail_row_count=1,
    tail_byte_count=3,
    watermark_us=4,
    started_s=0.5,
)


def test_job_arrives_with_its_tail() -> None:
    """A job larger than the socket's buffer and the tail's descriptor beside it."""
    encoded = msgspec.msgpack.encode(JOB)
    tail = os.memfd_create("tail")
    os.write(tail, b"tail")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        socket.send_fds(ours, [JOB_HEAD.pack(len(encoded))], [tail])
        sender = threading.Thread(target=ours.sendall, args=(encoded,))
        sender.start()
        received = receive_job(theirs)
        sender.join()
    os.close(tail)
    assert received is not None
    job, descriptor = received
    assert job == JOB
    assert descriptor is not None
    assert os.pread(descriptor, 10, 0) == b"tail"
    os.close(descriptor)


def test_no_job_is_no_error() -> None:
    """A pool that closes its end has no work for the worker."""
    ours, theirs = socket.socketpair()
    with theirs:
        ours.close()
        assert receive_job(theirs) is None


def test_job_cut_short_is_a_lost_connection() -> None:
    """A pool that goes away within a job is noticed."""
    ours, theirs = socket.socketpair()
    with theirs:
        ours.sendall(JOB_HEAD.pack(100) + b"x")
        ours.close()
        with pytest.raises(ConnectionError):
            receive_job(theirs)
