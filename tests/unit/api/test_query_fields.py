"""What the fields of a query mean, and the words for those that cannot be read."""

import pytest

from weir.api.query_fields import read_query
from weir.errors import InvalidInput, Unprocessable
from weir.query.request import Format, QueryRequest


def read(**fields: object) -> QueryRequest:
    """A query with its SQL and these fields."""
    return read_query({"q": "SELECT 1"} | fields, "", tenant_id=3, rows_max=500)


def test_texts_and_json_values_mean_the_same() -> None:
    """A query string has texts only; a body has numbers and booleans too."""
    expected = QueryRequest(
        tenant_id=3, sql="SELECT 1", format=Format.CSV, row_limit=5, safe=True, with_meta=False
    )
    assert read(format="csv", limit="5", safe="1", meta="0") == expected
    assert read(format="CSV", limit=5, safe=True, meta=False) == expected
    assert read(format="csv", limit=5, safe=1, meta=None) == expected


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"limit": "abc"}, "limit must be a whole number from 1 to 500."),
        ({"limit": "1.5"}, "limit must be a whole number from 1 to 500."),
        ({"limit": 1.5}, "limit must be a whole number from 1 to 500."),
        ({"limit": True}, "limit must be a whole number from 1 to 500."),
        ({"limit": "9" * 5000}, "limit must be a whole number from 1 to 500."),
        ({"safe": "2"}, "safe must be 0 or 1."),
        ({"safe": 2}, "safe must be 0 or 1."),
        ({"safe": []}, "safe must be 0 or 1."),
        ({"meta": "perhaps"}, "meta must be 0 or 1."),
        ({"format": "xml"}, "format must be one of json, ndjson, csv, arrow, parquet."),
        ({"format": 5}, "format must be one of json, ndjson, csv, arrow, parquet."),
        ({"q": None}, "q is missing. It holds the SQL."),
        (
            {"lmit": "5"},
            "There is no field 'lmit'. There are q, format, limit, safe, meta.",
        ),
    ],
)
def test_field_that_cannot_be_read_is_told_in_plain_words(
    fields: dict[str, object], words: str
) -> None:
    """The field, and what it must be; no word of a library."""
    with pytest.raises(InvalidInput) as caught:
        read(**fields)
    assert str(caught.value) == words


@pytest.mark.parametrize("limit", [0, "-1", 501, "9" * 18])
def test_limit_outside_its_range_is_unprocessable(limit: object) -> None:
    """A number, but not one of those allowed."""
    with pytest.raises(Unprocessable) as caught:
        read(limit=limit)
    assert (caught.value.code, str(caught.value)) == (
        "limit_out_of_range",
        "limit must be from 1 to 500.",
    )
