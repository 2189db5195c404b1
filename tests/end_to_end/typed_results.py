"""Values of every type with what each format has to say of them, and ways to nest them."""

import json
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import pyarrow as pa


class Case(NamedTuple):
    """A value: alone in JSON, in a cell of CSV, and as Arrow and Parquet hold it."""

    sql: str
    json: Any
    cell: str
    arrow: Any
    """Python's value of it; of a time the number that stands for it."""
    type: str
    parquet: tuple[Any, str] | None = None
    """Value and type where they differ from Arrow's."""


DAY: Final = 20781
EIGHT_US: Final = 1795507200_000_000
EVER: Final = 2**63 - 1
JSON_TYPE: Final = "extension<arrow.json>"
UUID: Final = "550e8400-e29b-41d4-a716-446655440000"

CASES: Final = [
    Case("true", True, "true", True, "bool"),
    Case("(-1)::TINYINT", -1, "-1", -1, "int8"),
    Case("(-2)::SMALLINT", -2, "-2", -2, "int16"),
    Case("(-3)::INT", -3, "-3", -3, "int32"),
    Case("9007199254740992", 2**53, "9007199254740992", 2**53, "int64"),
    Case("-9007199254740993", str(-(2**53) - 1), "-9007199254740993", -(2**53) - 1, "int64"),
    Case("7::HUGEINT", 7, "7", 7, "decimal128(38, 0)"),
    Case(
        "-12345678901234567890123::HUGEINT",
        "-12345678901234567890123",
        "-12345678901234567890123",
        -12345678901234567890123,
        "decimal128(38, 0)",
    ),
    Case("1::UTINYINT", 1, "1", 1, "uint8"),
    Case("2::USMALLINT", 2, "2", 2, "uint16"),
    Case("3::UINTEGER", 3, "3", 3, "uint32"),
    Case("18446744073709551615::UBIGINT", str(2**64 - 1), str(2**64 - 1), 2**64 - 1, "uint64"),
    Case("8::UHUGEINT", 8, "8", "8", "string"),
    Case(
        "340282366920938463463374607431768211455::UHUGEINT",
        str(2**128 - 1),
        str(2**128 - 1),
        str(2**128 - 1),
        "string",
    ),
    Case("0.1::FLOAT", 0.1, "0.1", 0.10000000149011612, "float"),
    Case("'-inf'::FLOAT", None, "", float("-inf"), "float"),
    Case("0.1::DOUBLE", 0.1, "0.1", 0.1, "double"),
    Case("'inf'::DOUBLE", None, "", float("inf"), "double"),
    Case("1.5::DECIMAL(10, 2)", 1.5, "1.50", 1.5, "decimal128(10, 2)"),
    Case(
        "-0.00000000010000000001::DECIMAL(38, 20)",
        -1.0000000001e-10,
        "-0.00000000010000000001",
        pa.scalar("-0.00000000010000000001").cast(pa.decimal128(38, 20)).as_py(),
        "decimal128(38, 20)",
    ),
    Case(
        "123456789.12345678::DECIMAL(18, 8)",
        "123456789.12345678",
        "123456789.12345678",
        pa.scalar("123456789.12345678").cast(pa.decimal128(18, 8)).as_py(),
        "decimal128(18, 8)",
    ),
    Case("'a,\"b'::TEXT", 'a,"b', 'a,"b', 'a,"b', "string"),
    Case("'=1'::CHAR(2)", "=1", "=1", "=1", "string"),
    Case("'\\xFB\\x00'::BLOB", "+wA=", "+wA=", b"\xfb\0", "binary"),
    Case(f"'{UUID}'::UUID", UUID, UUID, UUID, "string"),
    Case("'{\"a\":[1,1.0]}'::JSON", {"a": [1, 1.0]}, '{"a":[1,1.0]}', '{"a":[1,1.0]}', JSON_TYPE),
    Case("'\"=x\"'::JSON", "=x", '"=x"', '"=x"', JSON_TYPE),
    Case("DATE '2026-11-24'", "2026-11-24", "2026-11-24", DAY, "date32[day]"),
    Case("DATE 'infinity'", "infinity", "infinity", 2**31 - 1, "date32[day]"),
    Case("DATE '-infinity'", "-infinity", "-infinity", -(2**31) + 1, "date32[day]"),
    Case("DATE '0044-03-15 (BC)'", "-0043-03-15", "-0043-03-15", -735160, "date32[day]"),
    Case("TIME '10:00:00.25'", "10:00:00.25", "10:00:00.25", 36_000_250_000, "time64[us]"),
    Case("TIME '24:00:00'", "24:00:00", "24:00:00", 86_400_000_000, "time64[us]"),
    Case("'12:00:00+02'::TIMETZ", "12:00:00+02", "12:00:00+02", "12:00:00+02", "string"),
    Case(
        "'12:00:00.5-01:30'::TIMETZ",
        "12:00:00.5-01:30",
        "12:00:00.5-01:30",
        "12:00:00.5-01:30",
        "string",
    ),
    Case(
        "TIMESTAMP '2026-11-24 08:00:00'",
        "2026-11-24T08:00:00",
        "2026-11-24T08:00:00",
        EIGHT_US,
        "timestamp[us]",
    ),
    Case(
        "TIMESTAMPTZ '2026-11-24 09:00:00+01'",
        "2026-11-24T08:00:00Z",
        "2026-11-24T08:00:00Z",
        EIGHT_US,
        "timestamp[us, tz=UTC]",
    ),
    Case("'-infinity'::TIMESTAMPTZ", "-infinity", "-infinity", -EVER, "timestamp[us, tz=UTC]"),
    Case(
        "TIMESTAMPTZ '20000-01-01 00:00:00+00'",
        "20000-01-01T00:00:00Z",
        "20000-01-01T00:00:00Z",
        568971820800_000_000,
        "timestamp[us, tz=UTC]",
    ),
    Case(
        "TIMESTAMP_S '2026-11-24 08:00:00'",
        "2026-11-24T08:00:00",
        "2026-11-24T08:00:00",
        EIGHT_US // 1_000_000,
        "timestamp[s]",
        (EIGHT_US, "timestamp[us]"),
    ),
    Case(
        "TIMESTAMP_S 'infinity'",
        "infinity",
        "infinity",
        EVER,
        "timestamp[s]",
        (EVER, "timestamp[us]"),
    ),
    Case(
        "TIMESTAMP_MS '2026-11-24 08:00:00.5'",
        "2026-11-24T08:00:00.5",
        "2026-11-24T08:00:00.5",
        EIGHT_US // 1000 + 500,
        "timestamp[ms]",
        (EIGHT_US + 500_000, "timestamp[us]"),
    ),
    Case(
        "TIMESTAMP_NS '2026-11-24 08:00:00.123456789'",
        "2026-11-24T08:00:00.123456789",
        "2026-11-24T08:00:00.123456789",
        EIGHT_US * 1000 + 123456789,
        "timestamp[ns]",
    ),
    Case(
        "INTERVAL '-14 months 2 days -04:05:06.5'",
        "P-1Y-2M2DT-14706.5S",
        "P-1Y-2M2DT-14706.5S",
        pa.MonthDayNano((-14, 2, -14706_500_000_000)),
        "month_day_nano_interval",
        ("P-1Y-2M2DT-14706.5S", "string"),
    ),
    Case("'00101'::BIT", "00101", "00101", "00101", "string"),
    Case("NULL", None, "", None, "null"),
    Case("NULL::TIMESTAMPTZ", None, "", None, "timestamp[us, tz=UTC]"),
    Case("NULL::INTERVAL", None, "", None, "month_day_nano_interval", (None, "string")),
    Case("NULL::BIT", None, "", None, "string"),
]


class Nesting(NamedTuple):
    """A way to nest a value: as SQL, as JSON's value of it, and back to it in Arrow."""

    sql: str
    json: Callable[[Any], Any]
    leaf: Callable[[Any], pa.Array]


NESTINGS: Final = {
    "list": Nesting("[{}]", lambda v: [v], lambda c: c.flatten()),
    "list with null": Nesting("[{}, NULL]", lambda v: [v, None], lambda c: c.flatten().slice(0, 1)),
    "array": Nesting("array_value({})", lambda v: [v], lambda c: c.flatten()),
    "struct": Nesting("{{'k': {}}}", lambda v: {"k": v}, lambda c: c.field("k")),
    "map": Nesting("MAP {{'k': {}}}", lambda v: {"k": v}, lambda c: c.items),
    "list of lists": Nesting(
        "[NULL, [{}], []]", lambda v: [None, [v], []], lambda c: c.flatten().flatten()
    ),
    "list of structs": Nesting(
        "[{{'k': {}}}, NULL]",
        lambda v: [{"k": v}, None],
        lambda c: c.flatten().field("k").slice(0, 1),
    ),
    "struct of arrays": Nesting(
        "{{'k': array_value({})}}", lambda v: {"k": [v]}, lambda c: c.field("k").flatten()
    ),
    "map of structs": Nesting(
        "MAP {{'k': {{'z': {}}}}}", lambda v: {"k": {"z": v}}, lambda c: c.items.field("z")
    ),
    "struct of maps": Nesting(
        "{{'k': MAP {{'z': {}}}}}", lambda v: {"k": {"z": v}}, lambda c: c.field("k").items
    ),
}


def select(nesting: Nesting | None = None) -> str:
    """A statement whose columns are the cases, each nested so."""
    shown = "{}" if nesting is None else nesting.sql
    columns = [f"{shown.format(case.sql)} AS c{place}" for place, case in enumerate(CASES)]
    return f"SELECT {', '.join(columns)}"


def same(value: Any) -> str:
    """A text that is equal for equal JSON only: 1, 1.0, true and "1" are four."""
    return json.dumps(value)


def held(column: pa.Array) -> Any:
    """The one value of a column; of a time the number that stands for it."""
    kind = column.type
    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        column = column.cast(pa.int32() if pa.types.is_date32(kind) else pa.int64())
    [value] = column.to_pylist()
    return value
