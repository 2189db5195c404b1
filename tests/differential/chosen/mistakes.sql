SELECT INTERVAL '.5 day'
SELECT INTERVAL '1,000 days'
SELECT INTERVAL '2 hours 30'
SELECT INTERVAL 'P1D'
SELECT INTERVAL '- 3 days'
SELECT INTERVAL '-.5 day'
SELECT INTERVAL '1_000 days'
SELECT INTERVAL '+3 days'
SELECT INTERVAL 'x days'
SELECT missing FROM numbers
SELECT i FROM numbers GROUP BY j
SELECT sum(i) FROM numbers WHERE sum(i) > 1
SELECT 'x'::INT
SELECT lower(1, 2)
SELECT i FROM numbers ORDER BY 9
SELECT i FROM numbers UNION SELECT i, j FROM numbers
SELECT (SELECT i FROM numbers)
SELECT a.i FROM numbers
SELECT 1 +
SELECT FROM numbers
SELECT * FROM numbers JOIN numbers USING (i) WHERE i = 1 AND j = 1
SELECT quantile_cont(0.5) WITHIN GROUP (ORDER BY x) FROM numbers
SELECT listagg(s, ',') WITHIN GROUP (ORDER BY s DESC) FROM numbers
SELECT 'a' 'b'
SELECT first, last, left FROM (SELECT 1 AS first, 2 AS last, 3 AS "left")
