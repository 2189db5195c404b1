"""The table of dialects: what a folder and a line in it are enough for."""

import subprocess
import sys

from weir.dialects.table import DIALECTS, ROUTES, described_operations, dialects_by_code


def test_routes_and_codes_are_unique() -> None:
    """A frame's code means one dialect for ever; of a path's routes one takes what is left."""
    paths = [route.path for route in ROUTES if route.takes is None]
    assert len(paths) == len(set(paths))
    assert set(paths) == {route.path for route in ROUTES}
    assert {id(route.dialect) for route in ROUTES} == set(map(id, dialects_by_code().values()))


def test_codes_on_disk_keep_their_dialects() -> None:
    """Journals of earlier versions hold frames with these codes; a new dialect takes another."""
    names = {code: dialect.name for code, dialect in dialects_by_code().items()}
    on_disk = {1: "native", 2: "novamesh", 3: "novamesh", 4: "tapemetric", 5: "edgemq"}
    on_disk |= {10: "realanalytics", 11: "clickstream", 12: "clickstream"}
    assert names | on_disk == names


def test_dialect_is_named_as_its_folder() -> None:
    """In the table, in the frames' ledger, and where its descriptions are looked for."""
    for listed in DIALECTS:
        assert {route.dialect.name for route in listed.routes} == {listed.name}


def test_each_method_of_a_path_is_described_once() -> None:
    """The rows of a folder, with one route of a shared path each; no row is without a route."""
    described = [(row.method, row.path) for row in described_operations()]
    assert len(described) == len(set(described))
    routed = {(method.decode(), route.path) for route in ROUTES for method in route.methods}
    health = {("GET", path) for listed in DIALECTS for path in listed.health}
    assert set(described) == routed | health


def test_edge_worker_loads_no_descriptions() -> None:
    """They are for the OpenAPI document, and cost each worker time and memory."""
    program = """
import sys
import weir.server.edge, weir.server.loader
print([name for name in sys.modules if name.startswith("weir.dialects.") and "described" in name])
"""
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.strip() == "[]"
