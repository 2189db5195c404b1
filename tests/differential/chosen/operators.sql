SELECT 2 + 3 * 4, (2 + 3) * 4, 10 - 4 - 3, 100 / 10 / 5
SELECT 7 / 2, 7 // 2, -7 // 2, 7 % 3, -7 % 3, 7.5 % 2
SELECT 2 ** 3, 2 ^ 3, 2 ** 3 ** 2, -2 ** 2, 2 ^ -1
SELECT 2 * 3 ** 2, 2 + 3 ^ 2
SELECT 2 + x ** ~i FROM numbers WHERE i < 3 ORDER BY i
SELECT i + ~j >> 1 & 3 FROM numbers ORDER BY i
SELECT ~5, ~i FROM numbers ORDER BY i
SELECT 1 << 3, 256 >> 2, 1 << 2 + 1, 5 & 3, 5 | 3, xor(5, 3)
SELECT 1 | 2 & 3, 1 + 2 << 1, 1 << 2 >> 1, 6 & 3 + 1
SELECT - - 3, -(-3), + 3, -i FROM numbers ORDER BY i
SELECT 5!, 3! + 1
SELECT @ -5, @(-3.5)
SELECT 'a' || 'b' || 'c', 'a' || NULL, 1 || 'x', [1] || [2, 3]
SELECT 'a' || 'b' = 'ab', 1 + 1 = 2
SELECT NOT true, NOT 1 = 2, NOT NULL, NOT true AND false, NOT (true AND false)
SELECT true OR true AND false, (true OR true) AND false, true AND NOT false
SELECT 1 = 1 AND 2 = 2 OR 3 = 4
SELECT 1 IS NULL, NULL IS NULL, 1 IS NOT NULL, (NULL = NULL) IS NULL
SELECT NULL ISNULL, 1 NOTNULL
SELECT true IS TRUE, NULL IS NOT TRUE, false IS FALSE, NULL IS UNKNOWN
SELECT 1 IS DISTINCT FROM NULL, NULL IS NOT DISTINCT FROM NULL
SELECT 1 == 1, 1 != 2, 1 <> 2
SELECT 5 BETWEEN 1 AND 10, 5 NOT BETWEEN 1 AND 4, 5 BETWEEN 10 AND 1
SELECT 5 BETWEEN 1 AND 10 AND true, NOT 5 BETWEEN 1 AND 4
SELECT 1 IN (1, 2), 3 NOT IN (1, 2), NULL IN (1), 1 IN (NULL, 2), 'a' IN ('a')
SELECT 2 IN [1, 2], 'x' IN ('x', NULL)
SELECT 'abc' LIKE 'a%', 'abc' NOT LIKE '_b_', 'ABC' ILIKE 'abc', 'abc' NOT ILIKE 'B%'
SELECT 'a%c' LIKE 'a$%c' ESCAPE '$', '10%' LIKE '%\%' ESCAPE '\'
SELECT 'abc' SIMILAR TO 'a.c', 'abc' NOT SIMILAR TO 'x'
SELECT 'abc' GLOB 'a*', 'abc' ~ 'a.c', 'abc' !~ 'x', 'abc' ~~ 'a%', 'abc' !~~ 'x%', 'abc' ~~~ 'a*'
SELECT 'ABC' ~* 'abc', 'ABC' ~~* 'a%', 'ABC' !~~* 'x%'
SELECT 'abc' ^@ 'ab', starts_with('abc', 'b')
SELECT [1, 2, 3] @> [1], [1] <@ [1, 2], [1, 2] && [2, 3]
SELECT 1.0 = 1, 0.1 + 0.2, 0.1::DOUBLE + 0.2::DOUBLE, 1 / 3
SELECT 1 + NULL, NULL || 'x', NULL AND false, NULL OR true
SELECT (1, 2) = (1, 2), (1, 2) < (1, 3), (1, 'a') IN ((1, 'a'), (2, 'b'))
SELECT {'a': 1} = {'a': 1}, [1, 2] < [1, 3]
SELECT DATE '2026-01-02' - DATE '2026-01-01', DATE '2026-01-01' + 1
SELECT TIMESTAMP '2026-01-01 12:00:00' AT TIME ZONE 'Europe/Berlin'
SELECT TIMESTAMPTZ '2026-01-01 12:00:00+00' AT TIME ZONE 'America/New_York'
SELECT noted AT TIME ZONE 'Asia/Tokyo' FROM moments ORDER BY noted
SELECT 1::INT + 1::BIGINT, 1::TINYINT + 1::SMALLINT, 1.5 * 2, 1e0 * 2
SELECT -1::INT, -(1::INT), -1.5::INT
SELECT '5'::INT + 1, '1' = 1
SELECT CASE WHEN 1 > 2 THEN 'a' WHEN 2 > 1 THEN 'b' ELSE 'c' END
SELECT CASE i WHEN 1 THEN 'one' WHEN 2 THEN 'two' END FROM numbers ORDER BY i
SELECT CASE WHEN i > 2 THEN i END FROM numbers ORDER BY i
SELECT if(i > 2, 'big', 'small') FROM numbers ORDER BY i
SELECT x IS NULL OR x > 2 AND x < 5 FROM numbers ORDER BY i
SELECT i % 2 = 0 AND NOT x > 3 FROM numbers ORDER BY i
SELECT 10 % 4 * 2, 10 // 4 * 2, 2 * 10 % 4
SELECT 1 - -1, 1 - - 1, 2-1, 2 -1
SELECT a.i + b.j FROM numbers a, numbers b WHERE a.i = b.i ORDER BY 1
SELECT 'b' COLLATE NOCASE = 'B', 'a' COLLATE NOACCENT = 'á'
SELECT s FROM numbers ORDER BY s COLLATE NOCASE, i
SELECT s FROM numbers WHERE s COLLATE NOCASE = 'two'
SELECT 'ä' < 'b' COLLATE DE
