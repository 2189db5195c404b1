"""The README's first minute, as a reader pastes it (address and path of the program replaced)."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.end_to_end.running_node import StartNode

README = Path(__file__).parents[2] / "README.md"
VISIBLE = """\
until curl -s -G http://127.0.0.1:8080/v1/query -H "Authorization: Bearer $KEY" \\
  -d "q=SELECT+count()+AS+n+FROM+events" | grep -q '"rows":\\[\\[2\\]\\]'; do sleep 0.1; done
"""


def test_the_blocks_of_the_start_work_one_after_the_other(
    start_node: StartNode, tmp_path: Path
) -> None:
    """Key, events, query, ledger, the command line: each block ends well and shows what it says."""
    node = start_node("weir-data")
    section = README.read_text().split("## Start", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"```sh\n(.*?)```", section, flags=re.DOTALL)
    pasted = [block for block in blocks if not block.startswith("make ")]
    assert len(pasted) >= 4
    script = "\n".join(["set -euo pipefail", *pasted])
    assert script.count("sleep 1\n") == 1
    script = script.replace("sleep 1\n", VISIBLE)  # on a busy machine a second is too short
    script = script.replace("http://127.0.0.1:8080", node.url)
    script = script.replace(".venv/bin/weir", f"{sys.executable} -m weir")
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=dict(os.environ),
    )
    assert done.returncode == 0, done.stderr
    assert '"accepted":2' in done.stdout
    assert '["free",1]' in done.stdout
    assert '["pro",1]' in done.stdout
    assert '"balance":0' in done.stdout
    assert "signup" in done.stdout.rsplit('"balance":0', 1)[1]
