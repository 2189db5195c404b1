"""What a user of the client installs."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.clients.client_program import SOURCE

PROJECT = SOURCE.parent
MODULES = sorted(SOURCE.rglob("*.py"))


def test_the_wheel_works_alone_and_is_typed(tmp_path: Path) -> None:
    """Built as a release would be, it imports from the wheel, with licence, types and one need."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, timeout=300)
    [wheel] = tmp_path.glob("weir_client-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        [metadata] = [name for name in names if name.endswith("/METADATA")]
        needs = [
            line
            for line in archive.read(metadata).decode().splitlines()
            if line.startswith("Requires-")
        ]
    assert "weir_client/py.typed" in names
    assert [name for name in names if name.endswith("LICENSE")]
    assert needs == ["Requires-Python: >=3.9", "Requires-Dist: httpx>=0.27"]
    text = "import sys; sys.path.insert(0, sys.argv[1]); import weir_client as w; print(w.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", text, str(wheel)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(wheel) in done.stdout


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_each_module_is_python_3_9(module: Path) -> None:
    """No later syntax; annotations are never evaluated, so they may be newer."""
    tree = ast.parse(module.read_text(), feature_version=(3, 9))
    future = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    if module.name != "__init__.py":
        assert future[0].module == "__future__"
