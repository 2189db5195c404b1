"""Requests whose end two servers may see in different places, and some that only look so."""

from tests.unit.ingest.node import INGEST
from tests.unit.ingest.wire import request

BODY = b'{"event":"first"}'
INNER_BODY = b'{"event":"smuggled"}'
INNER = request(body=INNER_BODY, key=INGEST)
"""A whole valid request, hidden where a sloppy server would find the next one."""

HEAD = f"POST /v1/events HTTP/1.1\r\nHost: door.example\r\nX-API-Key: {INGEST}\r\n".encode()
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n"

REFUSED: dict[str, bytes] = {
    "length and chunked": HEAD + LENGTH + CHUNKED + b"\r\n" + CHUNKS,
    "chunked and length": HEAD + CHUNKED + LENGTH + b"\r\n" + CHUNKS,
    "two lengths": HEAD + LENGTH + b"Content-Length: 0\r\n\r\n" + BODY,
    "two equal lengths": HEAD + LENGTH + LENGTH + b"\r\n" + BODY,
    "list of lengths": HEAD + b"Content-Length: 17, 17\r\n\r\n" + BODY,
    "signed length": HEAD + b"Content-Length: +17\r\n\r\n" + BODY,
    "negative length": HEAD + b"Content-Length: -17\r\n\r\n" + BODY,
    "hexadecimal length": HEAD + b"Content-Length: 0x11\r\n\r\n" + BODY,
    "length of many digits": HEAD + b"Content-Length: " + b"0" * 5000 + b"17\r\n\r\n" + BODY,
    "empty length": HEAD + b"Content-Length:\r\n\r\n" + BODY,
    "length beyond 64 bits": HEAD + b"Content-Length: 18446744073709551633\r\n\r\n" + BODY,
    "length in other digits": HEAD + "Content-Length: \u0661\u0667\r\n\r\n".encode() + BODY,
    "length with inner space": HEAD + b"Content-Length: 1 7\r\n\r\n" + BODY,
    "space before colon": HEAD + b"Content-Length : 17\r\n\r\n" + BODY,
    "length with a point": HEAD + b"Content-Length: 17.0\r\n\r\n" + BODY,
    "length with underscore": HEAD + b"Content-Length: 1_7\r\n\r\n" + BODY,
    "length with a comma": HEAD + b"Content-Length: 17,\r\n\r\n" + BODY,
    "length in wide digits": HEAD + "Content-Length: \uff11\uff17\r\n\r\n".encode() + BODY,
    "identity and length": HEAD + LENGTH + b"Transfer-Encoding: identity\r\n\r\n" + BODY,
    "empty coding": HEAD + b"Transfer-Encoding:\r\n\r\n" + CHUNKS,
    "coding with parameter": HEAD + b"Transfer-Encoding: chunked;q=1\r\n\r\n" + CHUNKS,
    "comma before chunked": HEAD + b"Transfer-Encoding: ,chunked\r\n\r\n" + CHUNKS,
    "comma behind chunked": HEAD + b"Transfer-Encoding: chunked,\r\n\r\n" + CHUNKS,
    "space behind chunked": HEAD + b"Transfer-Encoding: chunked \r\n\r\n" + CHUNKS,
    "NUL behind chunked": HEAD + b"Transfer-Encoding: chunked\0\r\n\r\n" + CHUNKS,
    "coding, space before colon": HEAD
    + b"Transfer-Encoding : chunked\r\n"
    + LENGTH
    + b"\r\n"
    + BODY,
    "coding, return in name": HEAD + b"Transfer-Encoding\r: chunked\r\n" + LENGTH + b"\r\n" + BODY,
    "length and chunked, upgrade": HEAD
    + LENGTH
    + CHUNKED
    + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    + CHUNKS,
    "two lengths, upgrade": HEAD
    + LENGTH * 2
    + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    + BODY,
    "two codings": HEAD + CHUNKED + b"Transfer-Encoding: identity\r\n\r\n" + CHUNKS,
    "chunked twice": HEAD + CHUNKED + CHUNKED + b"\r\n" + CHUNKS,
    "identity": HEAD + b"Transfer-Encoding: identity\r\n\r\n" + CHUNKS,
    "unknown coding": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNKS,
    "coding behind chunked": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n" + CHUNKS,
    "coding before chunked": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKS,
    "quoted chunked": HEAD + b'Transfer-Encoding: "chunked"\r\n\r\n' + CHUNKS,
    "coding after vertical tab": HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + CHUNKS,
    "folded coding": HEAD + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + CHUNKS,
    "chunked in HTTP/1.0": HEAD.replace(b"1.1", b"1.0") + CHUNKED + b"\r\n" + CHUNKS,
    "folded header": HEAD + b"X-A: b\r\n c\r\n" + LENGTH + b"\r\n" + BODY,
    "space before first header": b"POST /v1/events HTTP/1.1\r\n X-A: b\r\n\r\n",
    "bare line feeds": HEAD.replace(b"\r\n", b"\n") + b"Content-Length: 17\n\n" + BODY,
    "one bare line feed": HEAD + b"X-A: b\n" + LENGTH + b"\r\n" + BODY,
    "bare carriage return": HEAD + b"X-A: b\rX-B: c\r\n" + LENGTH + b"\r\n" + BODY,
    "NUL in value": HEAD + b"X-A: b\0c\r\n" + LENGTH + b"\r\n" + BODY,
    "NUL in name": HEAD + b"X\0A: b\r\n" + LENGTH + b"\r\n" + BODY,
    "no name": HEAD + b": b\r\n" + LENGTH + b"\r\n" + BODY,
    "no colon": HEAD + b"X-A\r\n" + LENGTH + b"\r\n" + BODY,
    "bracket in name": HEAD + b"X[A]: b\r\n" + LENGTH + b"\r\n" + BODY,
    "chunk with prefix": HEAD + CHUNKED + b"\r\n0x11\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunk with sign": HEAD + CHUNKED + b"\r\n+11\r\n" + BODY + b"\r\n0\r\n\r\n",
    "negative chunk": HEAD + CHUNKED + b"\r\n-11\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunk beyond 64 bits": HEAD + CHUNKED + b"\r\n10000000000000011\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunk without size": HEAD + CHUNKED + b"\r\n\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunk size with space": HEAD + CHUNKED + b"\r\n11 \r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunk longer than said": HEAD + CHUNKED + b"\r\n10\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunk ended by line feed": HEAD + CHUNKED + b"\r\n11\n" + BODY + b"\r\n0\r\n\r\n",
    "line feed in extension": HEAD + CHUNKED + b"\r\n11;a\nb\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunk ended by return": HEAD + CHUNKED + b"\r\n11\r" + BODY + b"\r\n0\r\n\r\n",
    "chunk size behind space": HEAD + CHUNKED + b"\r\n 11\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunk size with tab": HEAD + CHUNKED + b"\r\n11\t\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunk size with underscore": HEAD + CHUNKED + b"\r\n1_1\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunk size with comma": HEAD + CHUNKED + b"\r\n11,2\r\n" + BODY + b"\r\n0\r\n\r\n",
    "body ended by nothing": HEAD + CHUNKED + b"\r\n11\r\n" + BODY + b"0\r\n\r\n",
    "body ended by line feed": HEAD + CHUNKED + b"\r\n11\r\n" + BODY + b"\n0\r\n\r\n",
    "last chunk without end": HEAD + CHUNKED + b"\r\n11\r\n" + BODY + b"\r\n0\r\n",
    "last chunk with line feeds": HEAD + CHUNKED + b"\r\n11\r\n" + BODY + b"\r\n0\n\n",
    "return in extension": HEAD + CHUNKED + b"\r\n11;a\rb\r\n" + BODY + b"\r\n0\r\n\r\n",
    "control in extension": HEAD + CHUNKED + b"\r\n11;a\x01\r\n" + BODY + b"\r\n0\r\n\r\n",
    "empty extension": HEAD + CHUNKED + b"\r\n11;\r\n" + BODY + b"\r\n0\r\n\r\n",
    "line end quoted in extension": HEAD + CHUNKED + b'\r\n11;a="\r\n' + BODY + b"\r\n0\r\n\r\n",
    "trailer with length": HEAD + CHUNKED + b"\r\n" + CHUNKS[:-2] + LENGTH + b"\r\n",
    "trailer with coding": HEAD + CHUNKED + b"\r\n" + CHUNKS[:-2] + CHUNKED + b"\r\n",
    "trailer with line feed": HEAD + CHUNKED + b"\r\n" + CHUNKS[:-2] + b"X: a\n\r\n",
    "folded trailer": HEAD + CHUNKED + b"\r\n" + CHUNKS[:-2] + b"X: a\r\n b\r\n\r\n",
    "trailer without colon": HEAD + CHUNKED + b"\r\n" + CHUNKS[:-2] + b"X\r\n\r\n",
    "no version": b"GET /livez\r\n",
    "no version, space": b"GET /livez \r\nHost: a\r\n\r\n",
    "version in lower case": b"GET /livez http/1.1\r\nHost: a\r\n\r\n",
    "version of three digits": b"GET /livez HTTP/1.10\r\nHost: a\r\n\r\n",
    "version with zero": b"GET /livez HTTP/01.1\r\nHost: a\r\n\r\n",
    "space behind version": b"GET /livez HTTP/1.1 \r\nHost: a\r\n\r\n",
    "tabs in first line": b"GET\t/livez\tHTTP/1.1\r\nHost: a\r\n\r\n",
    "space before first line": b" GET /livez HTTP/1.1\r\nHost: a\r\n\r\n",
    "first line ended by line feed": b"GET /livez HTTP/1.1\nHost: a\r\n\r\n",
    "first line ended by return": b"GET /livez HTTP/1.1\rHost: a\r\n\r\n",
    "head ended by line feed": b"GET /livez HTTP/1.1\r\nHost: a\r\n\n",
    "head ended by return": b"GET /livez HTTP/1.1\r\nHost: a\r\n\rX",
    "authority as target": b"GET door.example:80 HTTP/1.1\r\nHost: door.example\r\n\r\n",
    "target without slash": b"GET livez HTTP/1.1\r\nHost: a\r\n\r\n",
    "NUL in target": b"GET /livez\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    "list of hosts": b"GET /livez HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "space in host": b"GET /livez HTTP/1.1\r\nHost: a b\r\n\r\n",
    "path in host": b"GET /livez HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "user in host": b"GET /livez HTTP/1.1\r\nHost: u@a\r\n\r\n",
    "expected twice": HEAD + LENGTH + b"Expect: 100-continue\r\n" * 2 + b"\r\n" + BODY,
    "list of expectations": HEAD + LENGTH + b"Expect: 100-continue, a\r\n\r\n" + BODY,
    "hidden expectation": HEAD + LENGTH + b"Expect: a 100-continue\r\n\r\n" + BODY,
    "control in connection": HEAD + LENGTH + b"Connection: \x01\r\n\r\n" + BODY,
    "high byte in name": HEAD + b"X-\xe9: a\r\n" + LENGTH + b"\r\n" + BODY,
    "control in value": HEAD + b"X-A: a\x0bb\r\n" + LENGTH + b"\r\n" + BODY,
    "unknown version": HEAD.replace(b"1.1", b"1.2") + LENGTH + b"\r\n" + BODY,
    "version 2": HEAD.replace(b"1.1", b"2.0") + LENGTH + b"\r\n" + BODY,
    "version 0.9": HEAD.replace(b"1.1", b"0.9") + LENGTH + b"\r\n" + BODY,
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32),
    "lower-case method": b"post" + HEAD[4:] + LENGTH + b"\r\n" + BODY,
    "unknown method": b"FROB" + HEAD[4:] + LENGTH + b"\r\n" + BODY,
    "space in target": HEAD.replace(b"/v1/events", b"/v1/ events") + LENGTH + b"\r\n" + BODY,
    "high byte in target": HEAD.replace(b"/v1/events", b"/v1/\xff") + LENGTH + b"\r\n" + BODY,
    "no host": HEAD.replace(b"Host: door.example\r\n", b"") + LENGTH + b"\r\n" + BODY,
    "two hosts": HEAD + b"Host: other.example\r\n" + LENGTH + b"\r\n" + BODY,
    "two keys": HEAD + b"X-API-Key: other\r\n" + LENGTH + b"\r\n" + BODY,
    "two authorizations": HEAD + b"Authorization: a\r\nAuthorization: b\r\n" + LENGTH + b"\r\n",
    "two content types": HEAD + b"Content-Type: a/b\r\nContent-Type: c/d\r\n" + LENGTH + b"\r\n",
    "proxy": b"CONNECT door.example:443 HTTP/1.1\r\nHost: door.example\r\n\r\n",
}


HARMLESS: dict[str, tuple[bytes, list[int]]] = {
    "tab before coding": (HEAD + b"Transfer-Encoding:\tchunked\r\n\r\n" + CHUNKS, [202]),
    "coding in capitals": (HEAD + b"TRANSFER-ENCODING: CHUNKED\r\n\r\n" + CHUNKS, [202]),
    "another header": (HEAD + b"Transfer_Encoding: chunked\r\n" + LENGTH + b"\r\n" + BODY, [202]),
    "spaces around length": (HEAD + b"Content-Length:\t17 \r\n\r\n" + BODY, [202]),
    "zeros before length": (HEAD + b"Content-Length: 00017\r\n\r\n" + BODY, [202]),
    "long extension": (
        HEAD + CHUNKED + b"\r\n11;a=" + b"x" * 99_999 + b"\r\n" + BODY + b"\r\n0\r\n\r\n",
        [202],
    ),
    "connection names coding": (
        HEAD + CHUNKED + b"Connection: Transfer-Encoding\r\n\r\n" + CHUNKS,
        [202],
    ),
    "connection names length": (
        HEAD + LENGTH + b"Connection: Content-Length\r\n\r\n" + BODY,
        [202],
    ),
    "body of a GET": (
        b"GET /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        [200],
    ),
    "chunks of a GET": (
        b"GET /livez HTTP/1.1\r\nHost: a\r\n" + CHUNKED + b"\r\n5\r\nhello\r\n0\r\n\r\n",
        [200],
    ),
    "empty host": (b"GET /livez HTTP/1.1\r\nHost:\r\n\r\n", [200]),
    "address as host": (b"GET /livez HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\r\n", [200]),
    "other host in target": (
        b"GET http://other.example/livez HTTP/1.1\r\nHost: door.example\r\n\r\n",
        [200],
    ),
    "expected of no body": (
        b"GET /livez HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n",
        [100, 200],
    ),
    "websocket": (
        b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        [200],
    ),
}
"""What looks odd and can be understood in one way only; the request behind it is taken too."""

CLOSING: dict[str, bytes] = {
    "close and keep-alive": HEAD + LENGTH + b"Connection: close, keep-alive\r\n\r\n" + BODY,
    "keep-alive, then close": HEAD
    + LENGTH
    + b"Connection: keep-alive\r\nConnection: close\r\n\r\n"
    + BODY,
}
