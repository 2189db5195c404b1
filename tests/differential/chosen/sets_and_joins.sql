SELECT 1 AS a UNION SELECT 2 UNION SELECT 1 ORDER BY a
SELECT i FROM numbers UNION ALL SELECT j FROM numbers ORDER BY 1
SELECT i AS a, j AS b FROM numbers UNION BY NAME SELECT j AS b, s AS c FROM numbers ORDER BY ALL
SELECT i AS a FROM numbers UNION ALL BY NAME SELECT s AS b FROM numbers ORDER BY ALL
SELECT i FROM numbers EXCEPT SELECT j FROM numbers ORDER BY 1
SELECT j FROM numbers EXCEPT ALL SELECT 1 ORDER BY 1
SELECT j FROM numbers INTERSECT SELECT i FROM numbers ORDER BY 1
SELECT j FROM numbers INTERSECT ALL SELECT j FROM numbers WHERE i > 2 ORDER BY 1
SELECT 1 UNION SELECT 2 INTERSECT SELECT 2 ORDER BY 1
SELECT 1 UNION ALL (SELECT 2 EXCEPT SELECT 2)
(SELECT i FROM numbers ORDER BY i LIMIT 2) UNION ALL (SELECT i FROM numbers ORDER BY i DESC LIMIT 2) ORDER BY 1
SELECT * FROM (SELECT 1 UNION SELECT 2) t(x) ORDER BY x
(SELECT 1)
((SELECT 1 AS x) UNION (SELECT 2)) ORDER BY x DESC LIMIT 1
VALUES (1, 'a'), (2, 'b')
SELECT * FROM (VALUES (1, 'a'), (2, NULL)) AS t(n, s) ORDER BY n
VALUES (1), (2) UNION ALL SELECT 3
SELECT a.i, b.i FROM numbers a JOIN numbers b ON a.i = b.j ORDER BY 1, 2
SELECT a.i, b.i FROM numbers a LEFT JOIN numbers b ON a.i = b.j AND b.i > 2 ORDER BY 1, 2
SELECT a.i, b.i FROM numbers a RIGHT OUTER JOIN numbers b ON a.i = b.j ORDER BY 1, 2
SELECT a.i, b.i FROM numbers a FULL JOIN numbers b ON a.i = b.i + 3 ORDER BY 1, 2
SELECT i, a.s, b.x FROM numbers a JOIN numbers b USING (i) ORDER BY i
SELECT i, j FROM numbers a LEFT JOIN numbers b USING (i, j) ORDER BY i
SELECT * FROM (SELECT i FROM numbers) a NATURAL JOIN (SELECT i, s FROM numbers) b ORDER BY i
SELECT a.i FROM numbers a SEMI JOIN numbers b ON a.i = b.j ORDER BY 1
SELECT a.i FROM numbers a ANTI JOIN numbers b ON a.i = b.j ORDER BY 1
SELECT a.i, b.i FROM numbers a CROSS JOIN (VALUES (1), (2)) b(i) ORDER BY 1, 2
SELECT a.i, b.j FROM numbers a, numbers b WHERE a.i = b.j ORDER BY 1, 2
SELECT a.i, b.k FROM (SELECT i FROM numbers ORDER BY i) a POSITIONAL JOIN (VALUES (10), (20)) b(k)
SELECT d.day, m.v FROM days d ASOF JOIN (SELECT day - 1 AS day, v FROM days) m ON d.day >= m.day ORDER BY 1
SELECT d.day, m.v FROM days d ASOF LEFT JOIN days m ON d.v = m.v AND d.day > m.day ORDER BY 1
SELECT d.day, m.v FROM days d ASOF JOIN days m USING (day) ORDER BY 1
SELECT n.i, l.t FROM numbers n, LATERAL (SELECT n.i * 2 AS t) l ORDER BY 1
SELECT n.i, l.t FROM numbers n LEFT JOIN LATERAL (SELECT m.s AS t FROM numbers m WHERE m.i = n.j) l ON true ORDER BY 1, 2
SELECT n.i, u.e FROM numbers n, unnest([n.i, n.j]) u(e) ORDER BY 1, 2
SELECT n.i, r.range FROM numbers n, range(n.i) r WHERE n.i < 4 ORDER BY 1, 2
SELECT i, unnest(l) FROM nested ORDER BY ALL
SELECT unnest([1, 2, 3]) AS n, unnest(['a', 'b'])
SELECT unnest({'a': 1, 'b': 'x'})
SELECT unnest([{'a': 1}, {'a': 2}], recursive := true)
SELECT * FROM unnest([1, 2]) WITH ORDINALITY t(v, n)
SELECT * FROM generate_series(1, 5, 2)
SELECT * FROM range(3) t(x)
SELECT a.i FROM numbers a JOIN (numbers b JOIN days d ON true) ON a.i = b.j WHERE false
SELECT a.i FROM (numbers a JOIN numbers b USING (i)) ORDER BY 1
SELECT count(*) FROM numbers a JOIN numbers b ON a.i < b.i AND a.j <> b.j
SELECT x.i, y.n FROM numbers x LEFT JOIN (SELECT j, count(*) AS n FROM numbers GROUP BY j) y ON x.i = y.j ORDER BY 1
