SELECT * FROM numbers ORDER BY i
SELECT n.* FROM numbers n ORDER BY i
SELECT *, i + 1 FROM numbers ORDER BY i
SELECT * EXCLUDE (x, d) FROM numbers ORDER BY i
SELECT * EXCLUDE x FROM numbers ORDER BY i
SELECT * REPLACE (i * 2 AS i) FROM numbers ORDER BY ALL
SELECT * RENAME (i AS number, s AS name) FROM numbers ORDER BY number
SELECT * EXCLUDE (x) REPLACE (upper(s) AS s) FROM numbers ORDER BY i
SELECT n.* EXCLUDE (i) FROM numbers n ORDER BY ALL
SELECT n FROM (SELECT i, s FROM numbers) n ORDER BY n.i
SELECT "I", N."S" FROM numbers N ORDER BY i
SELECT I, S FROM NUMBERS ORDER BY I
SELECT numbers.i FROM numbers ORDER BY numbers.i
SELECT count(*), count(*) FROM numbers
SELECT 1 AS a, 2 AS a
SELECT a.i, b.i FROM numbers a JOIN numbers b USING (i) ORDER BY 1
SELECT i AS "odd name", s AS "select" FROM numbers ORDER BY "odd name"
SELECT #1, #2 FROM (SELECT i, s FROM numbers) ORDER BY #1
SELECT x: 1, y: 'two'
DESCRIBE SELECT i, s FROM numbers
DESCRIBE numbers
SUMMARIZE SELECT i FROM numbers
SUMMARIZE numbers
SELECT i.numbers FROM (SELECT {'numbers': 7} AS i)
SELECT t.t FROM (SELECT 3 AS t) t
SELECT "count" FROM (SELECT 1 AS count)
SELECT sum FROM (SELECT i AS sum FROM numbers) ORDER BY sum
SELECT date, time, year FROM (SELECT 1 AS date, 2 AS time, 3 AS year)
DESCRIBE SELECT i, s AS t, i + 1 FROM numbers
