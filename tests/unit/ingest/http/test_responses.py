"""Responses as bytes: the status line, the headers, the date and the body."""

from email.utils import parsedate_to_datetime

from weir.ingest.http.responses import CLOSE, date_line, render_empty, render_json, status_line

NOW_S = 1_800_000_000


def test_answer_is_whole() -> None:
    """Status, type, length of the bytes, date, further headers, body."""
    answer = render_json(
        202, '{"é":1}'.encode(), date=date_line(NOW_S), headers=CLOSE, is_head=False
    )
    assert answer == (
        b"HTTP/1.1 202 Accepted\r\n"
        b"Content-Type: application/json\r\n"
        b"X-Content-Type-Options: nosniff\r\n"
        b"Content-Length: 8\r\n"
        b"Date: Fri, 15 Jan 2027 08:00:00 GMT\r\n"
        b"Connection: close\r\n"
        b"\r\n" + '{"é":1}'.encode()
    )


def test_answer_to_head_has_the_length_but_no_body() -> None:
    """As RFC 9110 section 9.3.2 asks."""
    answer = render_json(200, b"{}", date=b"", headers=b"", is_head=True)
    assert answer.endswith(b"Content-Length: 2\r\n\r\n")


def test_empty_answer_has_no_length() -> None:
    """A 204 must not have one."""
    assert render_empty(204, date=b"", headers=b"") == b"HTTP/1.1 204 No Content\r\n\r\n"


def test_unknown_status_gets_an_empty_phrase() -> None:
    """What the api answers is passed on, whatever it is."""
    assert status_line(599) == b"HTTP/1.1 599 \r\n"
    assert status_line(404) == b"HTTP/1.1 404 Not Found\r\n"


def test_date_is_the_second_it_is_told() -> None:
    """In the format of HTTP."""
    line = date_line(NOW_S).decode().removeprefix("Date: ").strip()
    assert parsedate_to_datetime(line).timestamp() == NOW_S
