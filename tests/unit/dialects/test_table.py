"""The table of dialects: paths and codes stand in it once."""

from weir.dialects.table import ROUTES, dialects_by_code


def test_routes_and_codes_are_unique() -> None:
    """A frame's code means one dialect for ever; of a path's routes one takes what is left."""
    paths = [route.path for route in ROUTES if route.takes is None]
    assert len(paths) == len(set(paths))
    assert set(paths) == {route.path for route in ROUTES}
    assert {id(route.dialect) for route in ROUTES} == set(map(id, dialects_by_code().values()))
    assert sorted(dialects_by_code()) == [1, 2, 3, 4, 5, 10, 11, 12]
