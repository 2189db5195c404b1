"""What a client reads in the headers of its window."""

import re

from weir.dialects.port import Usage


def usage_of(lines: bytes) -> Usage | None:
    """The window that header lines tell; None when there are none."""
    if not lines:
        return None
    told = dict(re.findall(r"X-RateLimit-(\w+): (\d+)\r\n", lines.decode()))
    return Usage(int(told["Limit"]), int(told["Remaining"]), int(told["Reset"]))
