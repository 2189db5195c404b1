"""What ``weir doctor`` looks at in the certificate of the door."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from weir.cli.doctor.findings import Finding, failed, good, warning
from weir.clock import Clock
from weir.errors import InvalidInput
from weir.ingest.http.tls import Certificate, expires_at
from weir.settings import Settings

SOON_DAYS = 14

_RENEW = "Renew it; the node takes the new files by itself."


def look_at_certificate(settings: Settings, clock: Clock) -> Iterator[Finding]:
    """Whether it can be used with its key, and for how long; nothing without one."""
    try:
        if Certificate.load(settings.tls_cert, settings.tls_key) is None:
            return
        expires = expires_at(Path(settings.tls_cert))
    except InvalidInput as error:
        yield failed("certificate", error.message, error.hint or _RENEW)
        return
    except (OSError, ValueError) as error:
        yield warning("certificate", str(error), "See whether clients take it.")
        return
    left = expires - datetime.fromtimestamp(clock.now_us() / 1_000_000, UTC)
    seen = f"fits its key, expires in {left.days} days ({expires:%Y-%m-%d})"
    if left.total_seconds() <= 0:
        yield failed("certificate", f"expired on {expires:%Y-%m-%d}", _RENEW)
    elif left.days < SOON_DAYS:
        yield warning("certificate", seen, _RENEW)
    else:
        yield good("certificate", seen)
