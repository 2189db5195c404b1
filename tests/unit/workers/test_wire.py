"""Messages between parent and worker."""

import os
import socket
import threading

import pytest

from weir.workers.wire import JOB_BYTES_MAX, JOB_HEAD, receive_assignment

ENCODED = b"a job" * 100_000


def test_job_arrives_with_its_descriptors_in_order() -> None:
    """A job larger than the socket's buffer, and as many descriptors as belong to it."""
    sent = []
    for name in ("one", "two", "three"):
        sent.append(os.memfd_create(name))
        os.write(sent[-1], name.encode())
    ours, theirs = socket.socketpair()
    with ours, theirs:
        socket.send_fds(ours, [JOB_HEAD.pack(len(ENCODED))], sent)
        sender = threading.Thread(target=ours.sendall, args=(ENCODED,))
        sender.start()
        received = receive_assignment(theirs)
        sender.join()
    assert received is not None
    assert received.encoded == ENCODED
    assert [os.pread(each, 10, 0) for each in received.descriptors] == [b"one", b"two", b"three"]
    for descriptor in (*sent, *received.descriptors):
        os.close(descriptor)


def test_no_job_is_no_error() -> None:
    """A parent that closes its end has no work for the worker."""
    ours, theirs = socket.socketpair()
    with theirs:
        ours.close()
        assert receive_assignment(theirs) is None


def test_job_beyond_the_limit_is_not_read() -> None:
    """A length that no job has is taken for none."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(JOB_HEAD.pack(JOB_BYTES_MAX + 1))
        assert receive_assignment(theirs) is None


def test_job_cut_short_is_a_lost_connection() -> None:
    """A parent that goes away within a job is noticed."""
    ours, theirs = socket.socketpair()
    with theirs:
        ours.sendall(JOB_HEAD.pack(100) + b"x")
        ours.close()
        with pytest.raises(ConnectionError):
            receive_assignment(theirs)
