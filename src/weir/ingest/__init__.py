"""Ingest: a request comes in at a socket, its body goes into the journal, its answer goes out.

The life of a request:

1. ``http/tls_accept.py`` makes a handshake, if the node speaks TLS; ``http/connection.py`` reads
   what arrives. A head that the worker has seen before is not parsed again (``http/head.py``).
2. At the head's end ``http/door.py`` finds the route (``http/routing.py``), the credential and its
   sender (``http/credentials.py``, ``authentication.py``), and refuses what needs no body.
3. The body is counted as it arrives (``in_flight.py``). A request that is whole is the door's: it
   answers it (``http/local.py``), relays it to the api process (``http/relay.py``), or hands it to
   the intake as an arrival (``http/exchange.py``).
4. ``intake.py``, free of HTTP, counts it in the sender's windows (``allowances.py``: rates, quota,
   overload, backfill) and undoes its encoding (``encodings.py``). The route's dialect decides: at
   once, in its tenant's turn (``fair_queue.py``), or in a thread (``offload.py``).
5. What is taken becomes a frame of the journal. When that is durable the arrival hears of it, and
   the admission's reply leaves behind the answers to earlier requests (``http/pipeline.py``). What
   is refused whole is answered at once and counted (``counters.py``).

Invariants:

- Nothing is acknowledged before the ``fdatasync`` that covers its frame.
- A request has one answer, also when a bug ends it; a connection's answers keep its order.
- The tenant comes from the credential. An endpoint in the request only chooses among its own.
- Bytes, times and numbers that a client decides about have a limit (``http/refusals.HttpLimits``),
  and no tenant's bodies take the memory, or the turns, of all others.
- Nothing is asked of the api process or the loader while events are served.
- What a known sender was refused is in the ledger: counted in its body's frame, else in a tally.

When a worker dies its connections are reset. Frames that were durable are kept; a body without an
answer is lost, or stored once: its client sends it again. Refusals of the last second are not
counted. Windows and months lie in ``run/`` and go on (``limits.py``, ``quota.py``); what it knew of
heads and senders is found anew. ``edge.py`` is a worker's life from its start to its drain.
"""
