"""``python -m tests.simulation``: plays seeds, shows how it goes, tells how to repeat a failure."""

import argparse
import os
import sys
import time

from tests.simulation.history import Broken, play_all

TRACE_CHARS = 6000
SHOW_EVERY_S = 5.0


def main() -> int:
    """Exit code 1 when a seed's history broke a promise."""
    asked = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    asked.add_argument("--seeds", type=int, default=1000, help="how many")
    asked.add_argument("--first", type=int, default=0, help="the first one")
    asked.add_argument("--processes", type=int, default=os.cpu_count(), help="default: a core each")
    asked.add_argument("--seed", type=int, help="only this one, with its whole history")
    wanted = asked.parse_args()
    seeds = range(wanted.first, wanted.first + wanted.seeds)
    if wanted.seed is not None:
        seeds = range(wanted.seed, wanted.seed + 1)
    started_s = shown_s = time.monotonic()
    done, broken = 0, 0
    for count, found in play_all(seeds, processes=min(wanted.processes, len(seeds))):
        done += count
        broken += len(found)
        for each in found:
            _tell(each, whole=wanted.seed is not None)
        now_s = time.monotonic()
        if now_s - shown_s > SHOW_EVERY_S or done == len(seeds):
            shown_s = now_s
            rate = done / (now_s - started_s)
            left_s = (len(seeds) - done) / rate
            sys.stderr.write(
                f"{done:,} of {len(seeds):,} seeds, {broken} broken, "
                f"{rate:.0f} a second, {left_s / 60:.0f} min left\n"
            )
    return 1 if broken else 0


def _tell(found: Broken, *, whole: bool) -> None:
    sys.stdout.write(f"seed {found.seed}: {found.reason}\n")
    sys.stdout.write(found.trace if whole else found.trace[-TRACE_CHARS:])
    sys.stdout.write(f"\nrepeat it with: make simulate SEED={found.seed}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
