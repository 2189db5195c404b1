"""``AsyncWeirClient``: the same client for a program on asyncio."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

import httpx

from weir_client.client import IDENTIFYING, Fields, Id, WeirClient, named
from weir_client.events import NAMED
from weir_client.losses import OnLoss
from weir_client.options import DEFAULTS, Options
from weir_client.queues import FULL_CODES
from weir_client.sending import MakeHttp
from weir_client.stats import Stats

if TYPE_CHECKING:
    from typing_extensions import Self


class AsyncWeirClient:
    """``WeirClient`` whose waits are awaited: the same promises, limits, options and losses.

    The delivery stays in a thread of its own, where neither a blocked event loop nor its end
    holds it up, and where the spool's syncs block nobody. Taking an event does not wait, except
    for room; cancelling a call that waits ends the waiting, not what was asked for.
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
        """Takes what ``WeirClient`` takes.

        ``on_loss`` may be called from any thread; it is no coroutine.
        """
        self._client = WeirClient(
            url,
            key,
            spool=spool,
            context=context,
            on_loss=on_loss,
            options=options,
            make_http=make_http,
        )

    async def track(
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
        """Takes an event and returns its ``event_id``; see ``WeirClient.track``."""
        return await self.send(
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

    async def identify(
        self,
        user_id: Id,
        traits: Fields | None = None,
        *,
        anonymous_id: Id | None = None,
        session_id: Id | None = None,
        context: Fields | None = None,
    ) -> str:
        """``track`` of the event ``identify``; see ``WeirClient.identify``."""
        event = {
            "event": "identify",
            "user_id": user_id,
            "anonymous_id": anonymous_id,
            "session_id": session_id,
            "properties": traits,
            "context": context,
        }
        return await self._send(event, IDENTIFYING)

    async def page(
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
        return await self.track(
            "page",
            named(name, properties),
            user_id=user_id,
            anonymous_id=anonymous_id,
            session_id=session_id,
            context=context,
        )

    async def send(self, event: Fields) -> str:
        """Takes an event as the node's native fields; see ``WeirClient.send``."""
        return await self._send(event, NAMED)

    async def flush(self, timeout_s: float | None = None) -> bool:
        """Sends now; see ``WeirClient.flush``."""
        return await asyncio.to_thread(self._client.flush, timeout_s)

    async def close(self, timeout_s: float | None = None) -> bool:
        """Flushes, then ends; see ``WeirClient.close``."""
        return await asyncio.to_thread(self._client.close, timeout_s)

    def stats(self) -> Stats:
        """What happened so far."""
        return self._client.stats()

    async def _send(self, event: Fields, required: Collection[str]) -> str:
        client = self._client
        encoded = client._encode(event, required)
        if not encoded.body:
            return encoded.event_id
        code = client._put(encoded, 0.0)
        if code in FULL_CODES and client._options.room_timeout_s:
            code = await asyncio.to_thread(client._put, encoded, client._options.room_timeout_s)
        client._tell(encoded, code)
        return encoded.event_id

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self.close()
