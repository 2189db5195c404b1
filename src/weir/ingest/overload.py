"""When the door refuses events because there is no room for them: disk and backlog.

Looked at about once a second; the reserve is far larger than what arrives in that time. When room
gets short, tenants that send far more than others are refused first, each until its share has
come down; only at the limit itself everybody is.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from weir.errors import Unavailable
from weir.telemetry import BACKLOG_BYTES, Happening, emit

PRESSED_BACKLOG_SHARE = 0.5
"""Share of the greatest backlog above which heavy tenants are refused."""

PRESSED_RESERVES = 2
"""Times the disk reserve below which heavy tenants are refused."""

HEAVY_FACTOR = 1.5
"""Times the mean of all tenants that make one heavy."""

DECAY = 0.8
"""What is left of a tenant's bytes after a second: a share is about that of the last five."""

FORGOTTEN_BYTES = 64

RETRY_S = 5


class Shares:
    """What each tenant has sent lately, in bytes that fade."""

    __slots__ = ("_bytes",)

    def __init__(self) -> None:
        self._bytes: dict[int, float] = {}

    def note(self, tenant_id: int, byte_count: int) -> None:
        """Adds what was taken of a tenant."""
        self._bytes[tenant_id] = self._bytes.get(tenant_id, 0.0) + byte_count

    def fade(self) -> None:
        """Lets what was sent weigh less, and forgets who has sent little; called once a second."""
        self._bytes = {
            tenant: faded
            for tenant, sent in self._bytes.items()
            if (faded := sent * DECAY) > FORGOTTEN_BYTES
        }

    def heavy(self) -> frozenset[int]:
        """The tenants that send far more than others; none when all are alike."""
        return heavy_tenants(self._bytes)


def heavy_tenants(sent: Mapping[int, float]) -> frozenset[int]:
    """The tenants above ``HEAVY_FACTOR`` times the mean of what was sent."""
    if len(sent) < 2:
        return frozenset()
    bound = HEAVY_FACTOR * sum(sent.values()) / len(sent)
    return frozenset(tenant for tenant, count in sent.items() if count > bound)


class Overload:
    """Whether events are refused to all, to the heaviest tenants or to nobody, and why."""

    __slots__ = (
        "_backlog_bytes",
        "_backlog_bytes_max",
        "_directory",
        "_heavy",
        "_refusal",
        "_reserve_bytes",
        "shares",
        "takes_all",
    )

    def __init__(
        self,
        directory: Path,
        *,
        reserve_bytes: int,
        backlog_bytes: Callable[[], int],
        backlog_bytes_max: int,
    ) -> None:
        self._directory = directory
        self._reserve_bytes = reserve_bytes
        self._backlog_bytes = backlog_bytes
        self._backlog_bytes_max = backlog_bytes_max
        self._refusal: str | None = None
        self._heavy: frozenset[int] = frozenset()
        self.takes_all = True
        """Whether nobody is refused; else ``check`` raises for those who are."""
        self.shares = Shares()

    def check(self, tenant_id: int) -> None:
        """Raises ``Unavailable``, with the reason, when a tenant's events may not come now."""
        if self._refusal is not None:
            raise Unavailable(self._refusal, retry_after_s=RETRY_S)
        if tenant_id in self._heavy:
            raise Unavailable(
                "The node is short of room, and this account sends far more than others.",
                retry_after_s=RETRY_S,
            )

    def tick(self) -> None:
        """Decides anew by what the disk and the journal say now.

        A disk that cannot be asked (no descriptor is left, say) refuses all too.
        """
        backlog = free = -1
        is_pressed = False
        self.shares.fade()
        try:
            backlog = self._backlog_bytes()
            BACKLOG_BYTES.set(backlog)
            disk = os.statvfs(self._directory)
            free = disk.f_bavail * disk.f_frsize
            reason = self._reason(free, backlog)
            is_pressed = self._is_pressed(free, backlog)
        except OSError as error:
            reason = f"The node cannot look at its disk: {error.strerror}."
        self._heavy = self._tell_heavy(is_pressed)
        was_closed = self._refusal is not None
        self._refusal = reason
        self.takes_all = reason is None and not self._heavy
        if reason is not None and not was_closed:
            emit(Happening.EDGE_OVERLOADED, reason=reason, free_bytes=free, backlog_bytes=backlog)
        elif reason is None and was_closed:
            emit(Happening.EDGE_RESUMED, free_bytes=free, backlog_bytes=backlog)

    def _tell_heavy(self, is_pressed: bool) -> frozenset[int]:
        heavy = self.shares.heavy() if is_pressed else frozenset()
        if heavy and not self._heavy:
            emit(Happening.HEAVY_TENANTS_REFUSED, tenants=sorted(heavy)[:10])
        return heavy

    def _reason(self, free: int, backlog: int) -> str | None:
        if free < self._reserve_bytes:
            return "The node's disk is nearly full."
        if backlog > self._backlog_bytes_max:
            return "The node is catching up with earlier events."
        return None

    def _is_pressed(self, free: int, backlog: int) -> bool:
        return (
            free < PRESSED_RESERVES * self._reserve_bytes
            or backlog > PRESSED_BACKLOG_SHARE * self._backlog_bytes_max
        )
