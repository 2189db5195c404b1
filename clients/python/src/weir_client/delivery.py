"""The thread that empties a queue into a node, and what it shares with the others."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import httpx

from weir_client.events import identity_of
from weir_client.losses import Loss, Losses, log
from weir_client.options import Options
from weir_client.queues import Queue, QueueFull
from weir_client.sending import MakeHttp, Target, post_events
from weir_client.spool import Spool
from weir_client.stats import Stats
from weir_client.verdicts import Answer, Backoff, Refusal, Step, Verdict, judge

_TIMEOUTS = 4
"""After so many of its timeouts a request is ended, whatever still comes."""


class Delivery:
    """A queue, its thread (begun with the first event), and one condition that guards both."""

    def __init__(
        self,
        queue: Queue,
        http: httpx.Client | None,
        target: Target,
        options: Options,
        *,
        losses: Losses,
        make_http: MakeHttp,
        random: Callable[[], float],
    ) -> None:
        self._queue = queue
        self._http = http
        self._target = target
        self._options = options
        self._losses = losses
        self._make_http = make_http
        self._backoff = Backoff(options, random)
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._oldest_s: float | None = None
        """Since when an event waits for its batch to fill."""
        self._was_full = False
        """Whether the thread knows that a batch is full: it need not be woken again."""
        self._taken = self._flush_to = queue.events
        self._delivered = self._requests = self._retries = 0
        self._closing = self._ended = False
        self._untold = 0
        """Events that left the queue as lost, until that is told."""
        self._asking: tuple[httpx.Client, float] | None = None
        """The request under way, and when it has to be over."""
        self._trouble = ""
        if queue.events:
            with self._changed:
                self._start()

    def put(self, event: bytes, room_timeout_s: float) -> str:
        """Takes an event; else the code of its loss."""
        deadline_s: float | None = None
        with self._changed:
            while not self._closing:
                was_synced = not self._queue.unsynced
                try:
                    self._queue.put(event)
                except QueueFull:
                    now_s = time.monotonic()
                    deadline_s = now_s + room_timeout_s if deadline_s is None else deadline_s
                    if now_s >= deadline_s:
                        return self._queue.full_code
                    self._flush_to = self._taken
                    self._changed.notify_all()
                    self._changed.wait(deadline_s - now_s)
                    continue
                except OSError as error:
                    log.error("the spool cannot be written: %s", error.strerror or error)
                    return "spool_failed"
                self._taken += 1
                self._awake(was_synced=was_synced)
                return ""
            return "closed"

    def flush(self, timeout_s: float) -> bool:
        """Whether all that was taken before is settled within the time."""
        if threading.current_thread() in self._threads:
            return False
        with self._changed:
            taken = self._flush_to = self._taken
            self._backoff.hurry()
            self._changed.notify_all()
            return self._changed.wait_for(
                lambda: self._ended or self._settled() >= taken, timeout_s
            ) and (self._settled() >= taken)

    def close(self, timeout_s: float) -> tuple[bool, list[bytes]]:
        """Whether all was settled within the time, and what is lost because it was not."""
        with self._changed:
            if self._closing:
                return not self._queue.events, []
            self._closing = True
            self._changed.notify_all()
        deadline_s = time.monotonic() + timeout_s
        done = self.flush(timeout_s)
        self._sync()
        with self._changed:
            self._ended = True
            left = self._queue.close()
            self._changed.notify_all()
        if self._http and not self._threads:
            self._http.close()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline_s - time.monotonic()))
        return done, left

    def abandon(self) -> None:
        """Lets go of what belongs to the process that this one was forked from."""
        if isinstance(self._queue, Spool) and not self._ended:
            with suppress(OSError):  # the fork came while a file was changed
                self._queue.abandon()
            log.warning(
                "the spool stays with the process that opened it; this fork of it keeps events "
                "in memory: make a client with a directory of its own"
            )

    def stats(self) -> Stats:
        """What happened so far."""
        with self._changed:
            return Stats(
                taken=self._taken,
                delivered=self._delivered,
                lost=self._losses.count,
                pending=self._queue.events + self._untold,
                requests=self._requests,
                retries=self._retries,
            )

    def _settled(self) -> int:
        return self._taken - self._queue.events - self._untold

    def _awake(self, *, was_synced: bool) -> None:
        """Wakes the threads when there is something new to do: a time, a batch, a sync."""
        if not self._threads:
            self._start()
        is_first, is_full = self._oldest_s is None, self._is_full()
        if is_first:
            self._oldest_s = time.monotonic()
        if is_first or (is_full and not self._was_full) or (was_synced and self._queue.unsynced):
            self._changed.notify_all()
        self._was_full = is_full

    def _start(self) -> None:
        """Begins the threads; where the system has none left, the next event tries again."""
        threads = [
            threading.Thread(target=self._run, name="weir-client", daemon=True),
            threading.Thread(target=self._end_late, name="weir-deadline", daemon=True),
        ]
        if isinstance(self._queue, Spool):
            syncing = threading.Thread(target=self._keep_synced, name="weir-spool", daemon=True)
            threads.append(syncing)
        try:
            for thread in threads:
                thread.start()
                self._threads.append(thread)
        except RuntimeError as error:
            log.error("events wait, there is no thread for them: %s", error)

    def _run(self) -> None:
        while not self._ended:
            self._work()

    def _work(self) -> None:
        try:
            ready, self._http = self._http, None
            with ready or self._make_http() as http:
                while not http.is_closed and (events := self._next_batch()) is not None:
                    self._deliver(http, events)
        except Exception:  # no failure may end the delivery: it is logged and tried again
            log.exception("the delivery failed")
            self._back_off(0.0)

    def _next_batch(self) -> list[bytes] | None:
        """The oldest events, when it is time to send them; None when the client has ended."""
        options = self._options
        while True:
            with self._changed:
                self._wait_for_batch()
                if self._ended:
                    return None
                peek = self._queue.peek(
                    events_max=options.batch_events_max, bytes_max=options.batch_bytes_max
                )
                self._oldest_s = time.monotonic()
                self._untold = peek.damaged
            loss = Loss("", "spool_damaged", "a line of the spool is damaged")
            self._tell([loss] * peek.damaged)
            if peek.events:
                return peek.events

    def _wait_for_batch(self) -> None:
        while not self._ended:
            age_left_s: float | None = None
            if self._queue.events:
                if self._is_full() or self._settled() < self._flush_to:
                    return
                since_s = self._oldest_s or 0.0
                age_left_s = since_s + self._options.batch_age_s - time.monotonic()
                if age_left_s <= 0:
                    return
            else:
                self._oldest_s = None
            self._changed.wait(age_left_s)

    def _is_full(self) -> bool:
        queue, options = self._queue, self._options
        return (
            queue.events >= options.batch_events_max or queue.event_bytes >= options.batch_bytes_max
        )

    def _deliver(self, http: httpx.Client, events: list[bytes]) -> None:
        """Returns when each event is settled, or ``http`` is closed, or the client has ended."""
        waiting = [events]
        while waiting and not http.is_closed:
            part = waiting.pop()
            answer = self._ask(http, part)
            verdict = judge(answer, events=len(part), attempt=self._backoff.attempt)
            self._note(verdict)
            if verdict.step is Step.DONE:
                if not self._settle(part, verdict):
                    return
                continue
            if verdict.step is Step.SPLIT:
                size = verdict.part_events
                waiting += [part[at : at + size] for at in range(0, len(part), size)][::-1]
                if not answer.retry_after_s:
                    continue
            else:
                waiting.append(part)
            if not self._back_off(answer.retry_after_s):
                return

    def _ask(self, http: httpx.Client, part: list[bytes]) -> Answer:
        self._asking = http, time.monotonic() + _TIMEOUTS * self._options.request_timeout_s
        try:
            return post_events(http, self._target, part, self._options)
        finally:
            self._asking = None

    def _note(self, verdict: Verdict) -> None:
        """Counts the request, and logs trouble once for as long as it stays the same."""
        with self._changed:
            self._requests += 1
            self._retries += bool(self._backoff.attempt)
        if verdict.step in {Step.WAIT, Step.HOLD} and verdict.words != self._trouble:
            level = log.warning if verdict.step is Step.WAIT else log.error
            words = verdict.words.replace(self._target.key, "KEY")
            level("events wait, %s does not take them: %s", self._target.url, words)
            self._trouble = verdict.words
        elif verdict.step is Step.DONE and self._trouble:
            log.info("the node takes events again")
            self._trouble = ""

    def _settle(self, part: list[bytes], verdict: Verdict) -> bool:
        with self._changed:
            self._backoff.succeeded()
            if self._ended:
                return False
            self._queue.settle(len(part))
            self._was_full = self._is_full()
            self._untold = len(verdict.refusals)
            self._delivered += len(part) - len(verdict.refusals)
            self._changed.notify_all()
        losses = [_loss(part[refusal.place], refusal) for refusal in verdict.refusals]
        self._tell(losses)
        return True

    def _tell(self, losses: list[Loss]) -> None:
        if not losses:
            return
        self._losses.tell(losses)
        with self._changed:
            self._untold = 0
            self._changed.notify_all()

    def _back_off(self, asked_s: float) -> bool:
        """Waits as long as the backoff says; False when the client has ended."""
        with self._changed:
            self._backoff.failed(now_s=time.monotonic(), asked_s=asked_s)
            while not self._ended and (left_s := self._backoff.wait_s(time.monotonic())) > 0:
                self._changed.wait(left_s)
            return not self._ended

    def _end_late(self) -> None:
        """Ends a request that would never end: a server may send its answer byte by byte."""
        while (asking := self._asking) or not self._ended:
            if asking and time.monotonic() > asking[1]:
                with suppress(Exception):  # what a transport of the user's raises: it is closed
                    asking[0].close()
            with self._changed:
                if self._asking or not self._ended:
                    self._changed.wait(self._options.request_timeout_s)

    def _keep_synced(self) -> None:
        spool = self._queue
        assert isinstance(spool, Spool)
        while not self._ended:
            with self._changed:
                self._changed.wait_for(lambda: self._ended or spool.unsynced)
                self._changed.wait_for(lambda: self._ended, self._options.spool_sync_s)
            self._sync()

    def _sync(self) -> None:
        """Syncs what the spool wrote, outside of the lock; a sync that failed is not trusted."""
        spool = self._queue
        if not isinstance(spool, Spool):
            return
        with self._changed:
            descriptors = [] if self._ended else spool.begin_sync()
        for descriptor in descriptors:
            self._sync_one(spool, descriptor)

    def _sync_one(self, spool: Spool, descriptor: int) -> None:
        try:
            os.fsync(descriptor)
        except OSError as error:
            log.error("the spool does not sync: %s", error.strerror or error)
            with self._changed:
                spool.begin_anew()
        finally:
            os.close(descriptor)


def _loss(event: bytes, refusal: Refusal) -> Loss:
    event_id, name = identity_of(event)
    return Loss(event_id, refusal.code, refusal.message, event, name, refusal.field)
