SELECT extract(year FROM DATE '2026-03-04'), extract('month' FROM DATE '2026-03-04'), date_part('dow', DATE '2026-03-04')
SELECT extract(epoch FROM TIMESTAMP '2026-01-01'), extract(isodow FROM noted) FROM moments ORDER BY noted
SELECT date_trunc('week', TIMESTAMP '2026-03-04 10:00:00'), date_diff('day', DATE '2026-01-01', DATE '2026-03-01')
SELECT strftime(DATE '2026-03-04', '%d.%m.%Y'), strptime('04.03.2026', '%d.%m.%Y')
SELECT year(noted), month(noted), dayname(noted), monthname(noted), last_day(noted::DATE), quarter(noted) FROM moments ORDER BY noted
SELECT make_date(2026, 3, 4), make_timestamp(2026, 3, 4, 5, 6, 7.5), to_timestamp(0), epoch_ms(1000), epoch(noted) FROM moments ORDER BY noted
SELECT position('b' IN 'abc'), strpos('abc', 'c'), instr('abc', 'b')
SELECT substring('hello' FROM 2 FOR 3), substring('hello', 2), substr('hello', -3, 2), substring('hello' FROM 3)
SELECT trim('  x '), trim(BOTH 'x' FROM 'xxaxx'), trim(LEADING 'x' FROM 'xa'), trim(TRAILING FROM 'a  '), ltrim('xxa', 'x'), trim('xax', 'x')
SELECT overlay('abcdef' PLACING 'XY' FROM 2 FOR 3)
SELECT left('hello', 2), right('hello', -1), lpad('7', 3, '0'), repeat('ab', 2), reverse('abc')
SELECT replace('aXa', 'X', '-'), translate('abc', 'ab', 'xy'), split_part('a,b,c', ',', 2), concat_ws('-', 'a', NULL, 'b')
SELECT regexp_replace('abcabc', 'b', 'X'), regexp_replace('abcabc', 'b', 'X', 'g'), regexp_matches('abc', '^a.c$'), regexp_extract('a1b2', '(\d)', 1)
SELECT regexp_extract_all('a1b22', '\d+'), regexp_split_to_array('a, b', ', ?'), string_split_regex('a1b', '\d')
SELECT coalesce(NULL, NULL, 3), ifnull(NULL, 'x'), nullif(1, 1), greatest(1, 3, 2), least('b', 'a'), greatest(NULL, 1)
SELECT round(2.567, 2), round(-2.5), trunc(2.9), ceil(2.1), floor(-2.1), sign(-3), abs(-2), sqrt(16), cbrt(27), mod(7, 3), gcd(12, 18)
SELECT round(1234.5, -2), ln(1), log(100), log2(8), log10(1000), exp(0), pow(2, 10), power(2, 0.5), pi(), degrees(pi())
SELECT typeof(1), typeof(1.5), typeof('x'), typeof([1]), typeof({'a': 1}), typeof(NULL), typeof(now())
SELECT hash('a') = hash('a'), md5('a'), sha256('a'), hex('a'), to_base64('abc'::BLOB), url_encode('a b')
SELECT format('{} and {:>5}', 'x', 7), printf('%05.2f|%s', 1.5, 'a'), bar(5, 0, 10, 10)
SELECT chr(65), ascii('A'), unicode('é'), length('ünï'), strlen('ünï'), bit_length('a'), octet_length('ab'::BLOB)
SELECT to_base(255, 16), bin(5), to_hex(255), bit_count(7), unhex('41')
SELECT contains('abc', 'b'), prefix('abc', 'a'), suffix('abc', 'c'), starts_with('abc', 'ab'), ends_with('abc', 'bc')
SELECT levenshtein('kitten', 'sitting'), jaccard('abc', 'abd'), hamming('abc', 'abd'), jaro_similarity('a', 'b')
SELECT upper('ß'), lower('ÄÖ'), strip_accents('é'), nfc_normalize('é'), ucase('a'), lcase('B')
SELECT try(1 / 0), try(CAST('x' AS INT)), isnan('NaN'::DOUBLE), isfinite(1.0), isinf('inf'::DOUBLE)
SELECT CAST('2026-03-04 05:06:07' AS TIMESTAMP), '2026-03-04'::TIMESTAMPTZ, CAST(1.7 AS INT), 'true'::BOOLEAN, 1::BOOLEAN
SELECT CAST(noted AS DATE), noted::TIMETZ, CAST(noted AS TIMESTAMP), noted::VARCHAR FROM moments ORDER BY noted
SELECT range(3), range(1, 10, 3), generate_series(1, 3), range(5, 0, -2)
SELECT time_bucket(INTERVAL 1 WEEK, DATE '2026-03-04'), time_bucket(INTERVAL '1 month', noted, TIMESTAMPTZ '2026-01-15 00:00:00+00') FROM moments ORDER BY noted
SELECT timezone('Europe/Berlin', TIMESTAMP '2026-07-01 12:00:00'), date_add(DATE '2026-01-31', INTERVAL 1 MONTH)
SELECT date_sub('month', DATE '2026-01-31', DATE '2026-03-01'), datediff('week', DATE '2026-01-01', DATE '2026-02-01'), date_part(['year', 'month'], DATE '2026-03-04')
SELECT equi_width_bins(0, 10, 5, false), even(2.3), factorial(5)
SELECT array_to_string([1, 2], '-'), list_string_agg(['a']), array_slice([1, 2, 3], 1, 2), parse_path('/a/b')
SELECT json_merge_patch('{"a": 1}', '{"b": 2}'), json_type('[1]'), json_value('{"a": "x"}', '$.a'), json_quote('x'), json_exists('{"a": 1}', '$.a')
SELECT current_timestamp = now(), current_date = today(), get_current_timestamp() = now()
SELECT uuid() <> uuid(), random() BETWEEN 0 AND 1
