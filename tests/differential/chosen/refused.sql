WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r
PIVOT numbers ON j USING sum(i)
SELECT * FROM numbers PIVOT (sum(i) FOR j IN (1, 2))
UNPIVOT numbers ON i, j
SELECT * FROM read_csv('a.csv')
SELECT * FROM 'a.parquet'
SELECT * FROM information_schema.tables
SELECT * FROM duckdb_settings()
SELECT * FROM main.numbers
SELECT * FROM memory.main.numbers
SELECT * FROM pragma_version()
SELECT getenv('HOME')
SELECT current_setting('threads')
SELECT * FROM query('SELECT 1')
SELECT * FROM query_table('numbers')
SELECT nextval('s')
SELECT ?
SELECT $1
SELECT $name
SELECT 1; SELECT 2
EXPLAIN SELECT 1
CREATE TABLE t AS SELECT 1
INSERT INTO numbers SELECT * FROM numbers
DELETE FROM numbers
UPDATE numbers SET i = 1
DROP TABLE numbers
COPY numbers TO 'x.csv'
ATTACH 'x.db'
SET threads = 4
PRAGMA version
CALL pragma_version()
INSTALL httpfs
CREATE MACRO f(x) AS x
SHOW TABLES
SELECT 'a'::ENUM('a', 'b')
SELECT 1::UNION(a INT, b VARCHAR)
SELECT repeat('x', 100000000)
SELECT write_log('x')
SELECT sum(i) EXPORT_STATE FROM numbers
SELECT 0x1F
SELECT 0b101
SELECT COLUMNS('^[ij]$') FROM numbers ORDER BY ALL
SELECT min(COLUMNS(*)) FROM numbers
SELECT COLUMNS(lambda c: c IN ('i', 'j')) FROM numbers ORDER BY ALL
SELECT * LIKE 'i%' FROM numbers ORDER BY ALL
SELECT * SIMILAR TO '(i|j)' FROM numbers ORDER BY ALL
SELECT * NOT LIKE '%i%' FROM numbers ORDER BY ALL
SELECT alias(i) FROM numbers LIMIT 1
