"""Times as client libraries write them, and that nothing else is one."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.domain.instants import EPOCH, is_beyond_years, parse_epoch, parse_time
from weir.domain.instants import parse_time_or_epoch as parse_either

SECOND = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MILLIS = SECOND.replace(microsecond=678_000)
MICROS = SECOND.replace(microsecond=678_901)

WRITTEN = {
    # JavaScript: toISOString, Temporal's Instant and ZonedDateTime, a date input's value
    "2026-01-02T03:04:05.678Z": MILLIS,
    "+002026-01-02T03:04:05.678Z": MILLIS,
    "2026-01-02T04:04:05.678+01:00": MILLIS,
    "2026-01-02T04:04:05.678901+01:00[Europe/Berlin]": MICROS,
    "2026-01-02T04:04:05+01:00[Europe/Berlin][u-ca=iso8601]": SECOND,
    "2026-01-02": SECOND.replace(hour=0, minute=0, second=0),
    "2026-01-02T03:04": SECOND.replace(second=0),
    # Python: isoformat and str, with and without microseconds and zone; strftime("%z")
    "2026-01-02T03:04:05": SECOND,
    "2026-01-02T03:04:05.678901": MICROS,
    "2026-01-02T03:04:05.678901+00:00": MICROS,
    "2026-01-02 03:04:05.678901+00:00": MICROS,
    "2026-01-02 03:04:05": SECOND,
    "2026-01-02T03:04:05+0000": SECOND,
    "2026-01-02T03:57:33+00:53:28": SECOND,
    "2026-01-02T03:57:33.678901+00:53:28.000000": MICROS,
    # Swift: ISO8601DateFormatter with and without fractions and colons, Date.description
    "2026-01-02T03:04:05Z": SECOND,
    "20260102T030405Z": SECOND,
    "20260102T030405.678Z": MILLIS,
    "2026-01-02 03:04:05 +0000": SECOND,
    "2026-W01-5T03:04:05Z": SECOND,
    "2026W015": SECOND.replace(hour=0, minute=0, second=0),
    # Kotlin and Java: Instant with 3, 6 and 9 digits, OffsetDateTime, ZonedDateTime, LocalDateTime
    "2026-01-02T03:04:05.678901Z": MICROS,
    "2026-01-02T03:04:05.678901234Z": MICROS,
    "2026-01-02T03:04Z": SECOND.replace(second=0),
    "2026-01-02T04:04+01:00": SECOND.replace(second=0),
    "2026-01-02T03:04:05Z[UTC]": SECOND,
    "2026-01-02T08:34:05.678901234+05:30[Asia/Kolkata]": MICROS,
    # Go: RFC3339Nano drops zeroes
    "2026-01-02T03:04:05.6Z": SECOND.replace(microsecond=600_000),
    "2026-01-02T03:04:05.67890123-00:00": MICROS,
    # PostgreSQL and hand-written ones
    "2026-01-02 03:04:05+00": SECOND,
    "2026-01-02t03:04:05z": SECOND,
    "2026-01-02T03:04:05,678Z": MILLIS,
    " 2026-01-02T03:04:05Z\n": SECOND,
    # Leap days and seconds, midnights, roundings, the ends of the calendar
    "2024-02-29T00:00:00Z": datetime(2024, 2, 29, tzinfo=UTC),
    "2000-02-29": datetime(2000, 2, 29, tzinfo=UTC),
    "2016-12-31T23:59:60Z": datetime(2017, 1, 1, tzinfo=UTC),
    "2016-12-31T23:59:60.5Z": datetime(2017, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC),
    "2017-01-01T05:29:60+05:30": datetime(2017, 1, 1, tzinfo=UTC),
    "2026-01-01T24:00:00Z": datetime(2026, 1, 2, tzinfo=UTC),
    "2026-12-31T24:00": datetime(2027, 1, 1, tzinfo=UTC),
    "2026-01-02T03:04:05.0000005+00": SECOND.replace(microsecond=1),
    "2026-01-02T03:04:04.9999995+00": SECOND,
    "0001-01-01T00:00:00Z": datetime.min.replace(tzinfo=UTC),
    "9999-12-31T23:59:59.9999999Z": datetime.max.replace(tzinfo=UTC),
    "9999-12-31T24:00:00Z": datetime.max.replace(tzinfo=UTC),
}
NO_TIMES = [
    *("", "now", "2026", "2026-01", "2026-1-2", "02.01.2026", "2026/01/02", "24:00"),
    *("2026-13-01", "2026-02-29", "1900-02-29", "2026-04-31", "2026-00-01", "2026-W54-1"),
    *("2026-01-02T", "2026-01-02T3:04:05Z", "2026-01-02T25:00Z", "2026-01-02T03:60Z"),
    *("2026-01-02T03:04:61Z", "2026-01-02T03:04:60Z", "2026-01-02T23:59:60Z"),
    *("2026-01-02T24:00:01Z", "2026-01-02T24:01", "2026-01-02T03:04:05.Z", "2026-01-02T03:04.5Z"),
    *("2026-01-02T03:0405Z", "2026-0102", "2026-01-02X03:04:05Z", "2026-01-02_03:04:05Z"),
    *("2026-01-02T03:04:05ZZ", "2026-01-02T03:04:05+24:00", "2026-01-02T03:04:05+01:60"),
    *("2026-01-02T03:04:05+1", "2026-01-02T03:04:05[UTC]", "2026-01-02T03:04:05Z[", "20260101010"),
    *("2026-01-02T03:04:05 CET", "2026-01-02Z", "٢٠٢٦-01-02T03:04:05Z", "2026-01-02T03:04:05Z\0"),
    "2026-01-02T03:04:05." + "1" * 300 + "Z",
]
OTHER_YEARS = ["0000-01-01T00:00:00Z", "+010000-01-01T00:00:00.000Z", "-000001-01-01T00:00:00Z"]
EPOCHS = {
    "0": EPOCH,
    "-1.5": EPOCH - timedelta(seconds=1.5),
    "1767323045": SECOND,
    "1767323045.678": MILLIS,
    "1767323045.678901": MICROS,
    "1.767323045678901e9": MICROS,
    "1767323045678": MILLIS,
    "1767323045678.901": MICROS,
    "1767323045678901": MICROS,
    "1767323045678901234": MICROS,
    "1767323045.6789005": MICROS,
    "99999999999": datetime(5138, 11, 16, 9, 46, 39, tzinfo=UTC),
    "100000000000": datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC),
    "-100000000000": datetime(1966, 10, 31, 14, 13, 20, tzinfo=UTC),
}


@pytest.mark.parametrize("text", WRITTEN)
def test_what_client_libraries_write_is_what_they_meant(text: str) -> None:
    """To the microsecond; without a zone it is UTC."""
    found = parse_time(text)
    assert found is not None
    assert found == WRITTEN[text]


@pytest.mark.parametrize("text", NO_TIMES)
def test_other_texts_are_no_times(text: str) -> None:
    """Nothing is guessed, and nothing raised."""
    assert parse_time(text) is None
    assert not is_beyond_years(text)


@pytest.mark.parametrize("text", OTHER_YEARS)
def test_year_out_of_range_is_told_from_nonsense(text: str) -> None:
    """Years 1 to 9999 are taken, in both ways of writing them."""
    assert parse_time(text) is None
    assert is_beyond_years(text)
    assert not is_beyond_years("+009999-01-01")


@pytest.mark.parametrize("number", EPOCHS)
def test_size_of_an_epoch_number_tells_its_unit(number: str) -> None:
    """Seconds, milliseconds, microseconds, nanoseconds; exact, because it is read as a decimal."""
    assert parse_epoch(number) == EPOCHS[number]


@pytest.mark.parametrize("number", ["1e30", "-99999999999", "9" * 21, "", "NaN", "1_0", "0x1", "٣"])
def test_number_that_is_no_time_is_none(number: str) -> None:
    """Beyond the calendar, or no JSON number."""
    assert parse_epoch(number) is None


def test_short_digits_are_a_date_and_long_ones_an_epoch_number() -> None:
    """Nine digits tell them apart."""
    assert parse_either("20260102") == datetime(2026, 1, 2, tzinfo=UTC)
    assert parse_either(" 1767323045.678 ") == MILLIS
    assert parse_either("176732304") == EPOCH + timedelta(seconds=176732304)
    assert parse_either("17673230") is None
    assert parse_either("1e9") is None


_offsets = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_moments = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=_offsets)  # noqa: DTZ001  # bounds are naive by hypothesis' contract


@given(_moments, st.sampled_from(["auto", "minutes", "seconds", "milliseconds", "microseconds"]))
def test_any_time_that_python_writes_is_read_back(moment: datetime, precision: str) -> None:
    """In extended and in basic form, with T and with a space, in any zone."""
    text = moment.isoformat(timespec=precision)
    meant = datetime.fromisoformat(text)
    date, _, rest = text.partition("T")
    clock, zone = rest[:-6], rest[-6:]
    assert parse_time(text) == parse_time(f"{date} {clock} {zone}") == meant
    assert parse_time(f"+00{text}[Some/Where]") == meant
    basic = f"{date}T{clock}".replace("-", "").replace(":", "")
    assert parse_time(basic + zone.replace(":", "")) == meant


@given(_moments, st.integers(0, 10**12 - 1), st.integers(1, 12))
def test_digits_are_rounded_as_the_fast_decoder_rounds(
    moment: datetime, fraction: int, digits: int
) -> None:
    """An event means the same time, whichever of the two reads it."""
    text = f"{moment:%H:%M:%S}.{str(fraction).zfill(12)[:digits]}Z"
    text = f"{moment.year:04}-{moment:%m-%d}T{text}"
    assert parse_time(text) == msgspec.json.decode(msgspec.json.encode(text), type=datetime)


@given(_moments)
def test_epoch_numbers_of_a_time_mean_it_in_each_unit(moment: datetime) -> None:
    """From 1974 on, where the units are apart, and as text too."""
    microseconds = (moment - EPOCH) // timedelta(microseconds=1)
    if not 130_000_000_000_000 < microseconds < 90_000_000_000_000_000:
        return
    for digits in (0, 3, 6):
        written = str(microseconds).zfill(7)
        number = f"{written[: len(written) - digits]}.{written[len(written) - digits :]}"
        assert parse_either(number if digits else written) == moment
    assert parse_epoch(f"{microseconds}000") == moment


@given(st.text(max_size=40) | st.text("0123456789-+:.TZW []", max_size=40))
def test_parsing_never_raises(text: str) -> None:
    """Whatever it is."""
    for found in (parse_time(text), parse_epoch(text), parse_either(text)):
        assert found is None or found.tzinfo is not None
    assert parse_time(text) is None or not is_beyond_years(text)
