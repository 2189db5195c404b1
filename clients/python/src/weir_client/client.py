"""``WeirClient``: takes events at once, delivers them from a thread."""

from __future__ import annotations

import atexit
import dataclasses
import os
import random
import time
import weakref
from collections import ChainMap
from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union
from uuid import UUID

import httpx

from weir_client.delivery import Delivery
from weir_client.events import (
    NAMED,
    Encoded,
    encode_event,
    encode_rest,
    identity_of,
    make_event_id,
    plain_context,
)
from weir_client.losses import Loss, Losses, OnLoss
from weir_client.options import DEFAULTS, Options
from weir_client.queues import MemoryQueue, Queue
from weir_client.sending import MakeHttp, find_target
from weir_client.spool import Spool
from weir_client.stats import Stats
from weir_client.values import Unsayable

if TYPE_CHECKING:
    from typing_extensions import Self

Fields = Mapping[str, object]

Id = Union[str, int, UUID]
"""Whose event it is, or which: sent as text."""

IDENTIFYING = (*NAMED, "user_id")
"""What ``identify`` is not without."""


class WeirClient:
    """Sends events to a node in the background. Safe to use from many threads.

    Without ``spool`` events wait in memory and are lost with the program. With it, ``track``
    writes them to that directory first: they outlive the program at once and a power cut after
    ``Options.spool_sync_s``, and the next run sends them before its own. An event is delivered
    once: its ``event_id`` is made here, and the node drops repetitions for 24 hours.

    No method raises for what happens to the node, the network, the disk or the value of an
    event: ``on_loss`` and the logger ``weir_client`` tell what will not arrive.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        spool: str | os.PathLike[str] | None = None,
        context: Fields | None = None,
        on_loss: OnLoss = None,
        options: Options = DEFAULTS,
        make_http: MakeHttp = httpx.Client,
    ) -> None:
        """``context`` lies under each event's own. ``on_loss`` is called from any thread.
        ``make_http`` makes the httpx client, for proxies and certificates of your own.

        Raises ``ValueError`` for a wrong address, key, limit or context, and ``SpoolUnusable`` when
        the directory is in use or cannot be written, and what ``make_http`` raises.
        """
        options.check()
        self._target = find_target(url, key)
        self._context = plain_context(context or {})
        self._options = options
        self._make_http = make_http
        self._losses = Losses(on_loss, time.monotonic)
        self._random = random.Random()  # noqa: S311  # ids and jitter are no secrets
        http = make_http()  # here, where a failure is seen, and httpx imports what it needs
        queue: Queue = MemoryQueue(options.queue_bytes_max)
        if spool is not None:
            queue = Spool(Path(spool), bytes_max=options.spool_bytes_max)
        self._delivery = self._begin(queue, http)
        _clients.add(self)
        atexit.register(self.close)

    def track(
        self,
        event: str,
        properties: Fields | None = None,
        *,
        user_id: Id | None = None,
        anonymous_id: Id | None = None,
        session_id: Id | None = None,
        ts: datetime | str | None = None,
        context: Fields | None = None,
    ) -> str:
        """Takes an event and returns its ``event_id``, without waiting for the node.

        ``ts`` is when it happened (default: now; a ``datetime`` without a zone is local time).
        When there is no room it waits up to ``Options.room_timeout_s``, then drops the event.
        """
        return self.send(
            {
                "event": event,
                "user_id": user_id,
                "anonymous_id": anonymous_id,
                "session_id": session_id,
                "ts": ts,
                "properties": properties,
                "context": context,
            }
        )

    def identify(
        self,
        user_id: Id,
        traits: Fields | None = None,
        *,
        anonymous_id: Id | None = None,
        session_id: Id | None = None,
        context: Fields | None = None,
    ) -> str:
        """``track`` of the event ``identify``, with the traits as its properties.

        Without a user (``None``, an empty text) it names nobody, and is told as ``invalid``.
        """
        event = {
            "event": "identify",
            "user_id": user_id,
            "anonymous_id": anonymous_id,
            "session_id": session_id,
            "properties": traits,
            "context": context,
        }
        return self._send(event, IDENTIFYING)

    def page(
        self,
        name: str,
        properties: Fields | None = None,
        *,
        user_id: Id | None = None,
        anonymous_id: Id | None = None,
        session_id: Id | None = None,
        context: Fields | None = None,
    ) -> str:
        """``track`` of the event ``page``, with the page's name among its properties."""
        return self.track(
            "page",
            named(name, properties),
            user_id=user_id,
            anonymous_id=anonymous_id,
            session_id=session_id,
            context=context,
        )

    def send(self, event: Fields) -> str:
        """Takes an event as the node's native fields, an ``event_id`` of your own included."""
        return self._send(event, NAMED)

    def flush(self, timeout_s: float | None = None) -> bool:
        """Sends now; True when everything taken before the call is delivered or told as lost.

        How many are lost says ``stats().lost``; ``on_loss`` was called for each of them.
        False after ``timeout_s`` (default: ``Options.close_timeout_s``), or when called by
        ``on_loss`` from the thread that sends. Before the time of a node's ``Retry-After``
        nothing is sent, flush or not.
        """
        return self._delivery.flush(self._timeout(timeout_s))

    def close(self, timeout_s: float | None = None) -> bool:
        """Flushes, then ends; True when nothing was left. Called at the program's end too.

        What is left after ``timeout_s`` stays in the spool; without one it is told as
        ``undelivered``. Closing again does nothing.
        """
        atexit.unregister(self.close)
        _clients.discard(self)
        delivery = self._delivery
        done, left = delivery.close(self._timeout(timeout_s))
        message = "not delivered before the client was closed"
        losses = [
            Loss(event_id, "undelivered", message, event, name)
            for event in left
            for event_id, name in (identity_of(event),)
        ]
        self._losses.tell(losses)
        self._losses.log_rest()
        return done

    def stats(self) -> Stats:
        """What happened so far."""
        return self._delivery.stats()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def _timeout(self, timeout_s: float | None) -> float:
        return self._options.close_timeout_s if timeout_s is None else timeout_s

    def _send(self, event: Fields, required: Collection[str]) -> str:
        encoded = self._encode(event, required)
        if encoded.body:
            self._tell(encoded, self._put(encoded, self._options.room_timeout_s))
        return encoded.event_id

    def _encode(self, event: Fields, required: Collection[str]) -> Encoded:
        """The event as it is sent; without a body when that cannot be, which is told."""
        now_s, bits = time.time(), self._random.getrandbits(80)
        try:
            encoded = encode_event(
                event, context=self._context, now_s=now_s, random_bits=bits, required=required
            )
        except Unsayable as error:
            encoded = encode_rest(event, make_event_id(now_s, bits))
            self._tell(encoded, "invalid", str(error), error.field)
            return encoded._replace(body=b"")
        size, size_max = len(encoded.body), self._options.event_bytes_max
        if size > size_max:
            self._tell(encoded, "too_large", f"{size} bytes; event_bytes_max is {size_max}")
            return encoded._replace(body=b"")
        return encoded

    def _put(self, encoded: Encoded, room_timeout_s: float) -> str:
        """Takes the event; else the code of its loss."""
        return self._delivery.put(encoded.body, room_timeout_s)

    def _tell(
        self, encoded: Encoded, code: str, message: str = "not taken", field: str = ""
    ) -> None:
        if code:
            event_id, body, name = encoded
            self._losses.tell([Loss(event_id, code, message, body, name, field)])

    def _begin(self, queue: Queue, http: httpx.Client | None) -> Delivery:
        return Delivery(
            queue,
            http,
            self._target,
            self._options,
            losses=self._losses,
            make_http=self._make_http,
            random=self._random.random,
        )

    def _renew(self) -> None:
        """In the child of a fork: what waits is the parent's, threads and locks are gone."""
        self._losses = self._losses.renewed()
        self._random = random.Random()  # noqa: S311  # as above; no id may be made twice
        self._delivery.abandon()
        self._delivery = self._begin(MemoryQueue(self._options.queue_bytes_max), None)


def named(name: str, properties: Any) -> Fields:
    """Properties with a name beneath; they may raise when read, so only the encoder reads them."""
    if dataclasses.is_dataclass(properties) and not isinstance(properties, type):
        names = [field.name for field in dataclasses.fields(properties)]
        properties = {name: getattr(properties, name) for name in names}
    if properties is not None and not isinstance(properties, Mapping):
        told: Fields = properties  # what is no mapping
        return told
    own = {} if properties is None else properties
    return ChainMap(own, {"name": name})  # type: ignore[arg-type]  # never written to


_clients: weakref.WeakSet[WeirClient] = weakref.WeakSet()


def _renew_clients() -> None:
    for client in list(_clients):
        client._renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_clients)
