SELECT (SELECT max(i) FROM numbers), (SELECT 1 WHERE false)
SELECT i FROM numbers WHERE i = (SELECT max(i) FROM numbers)
SELECT i FROM numbers n WHERE EXISTS (SELECT 1 FROM numbers m WHERE m.j = n.i) ORDER BY i
SELECT i FROM numbers n WHERE NOT EXISTS (SELECT 1 FROM numbers m WHERE m.j = n.i) ORDER BY i
SELECT i FROM numbers WHERE i IN (SELECT j FROM numbers) ORDER BY i
SELECT i FROM numbers WHERE i NOT IN (SELECT j FROM numbers WHERE j IS NOT NULL) ORDER BY i
SELECT i FROM numbers WHERE i = ANY (SELECT j FROM numbers) ORDER BY i
SELECT i FROM numbers WHERE i > ALL (SELECT j FROM numbers WHERE j IS NOT NULL) ORDER BY i
SELECT i FROM numbers WHERE i <= SOME (SELECT j FROM numbers) ORDER BY i
SELECT i FROM numbers WHERE i = ANY ([1, 3, 5]) ORDER BY i
SELECT 2 = ANY ([1, 2]), 3 > ALL ([1, 2])
SELECT i FROM numbers WHERE (i, j) IN (SELECT i, j FROM numbers WHERE b) ORDER BY i
SELECT array(SELECT i FROM numbers ORDER BY i)
SELECT i, (SELECT count(*) FROM numbers m WHERE m.j = n.j) FROM numbers n ORDER BY i
SELECT i, (SELECT string_agg(s, ',' ORDER BY s) FROM numbers m WHERE m.i <= n.i) FROM numbers n ORDER BY i
WITH a AS (SELECT i FROM numbers), b AS (SELECT i * 2 AS d FROM a) SELECT sum(d) FROM b
WITH a(x, y) AS (SELECT i, j FROM numbers) SELECT x + y FROM a ORDER BY x
WITH a AS MATERIALIZED (SELECT 1 AS x), b AS NOT MATERIALIZED (SELECT 2 AS x) SELECT * FROM a UNION ALL SELECT * FROM b
WITH numbers AS (SELECT 99 AS i) SELECT i FROM numbers
WITH a AS (SELECT 1 AS x) SELECT * FROM (WITH a AS (SELECT 2 AS x) SELECT x FROM a) t, a
SELECT * FROM (WITH q AS (SELECT 5 AS v) SELECT v FROM q)
WITH a AS (VALUES (1), (2)) SELECT * FROM a
SELECT t.i FROM (SELECT * FROM numbers WHERE i > 2) t ORDER BY t.i
SELECT t.a FROM (SELECT i AS a FROM numbers) AS t(a) ORDER BY 1
FROM numbers
FROM numbers SELECT i WHERE i > 2 ORDER BY i
FROM numbers WHERE b ORDER BY i
FROM (SELECT 1 AS x) t SELECT x
FROM numbers n SELECT n.i, count(*) GROUP BY ALL ORDER BY ALL
SELECT i FROM numbers WHERE x > (SELECT avg(x) FROM numbers) ORDER BY i
SELECT CASE WHEN EXISTS (SELECT 1) THEN 'y' ELSE 'n' END
SELECT i FROM numbers ORDER BY (SELECT -i)
SELECT max(i) FROM numbers GROUP BY (SELECT 1)
SELECT (SELECT n.i + 1) FROM numbers n ORDER BY 1
SELECT i, i + 1 AS k, k * 2 AS m FROM numbers WHERE k > 2 ORDER BY m
SELECT i FROM numbers WHERE i IN (VALUES (1), (2)) ORDER BY i
