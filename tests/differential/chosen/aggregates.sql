SELECT count(*), count(), count(x), count(DISTINCT s), sum(i), avg(x), min(s), max(d) FROM numbers
SELECT sum(DISTINCT j), avg(DISTINCT j), count(DISTINCT (i, j)) FROM numbers
SELECT string_agg(s, ',' ORDER BY s), string_agg(s, ';' ORDER BY i DESC) FROM numbers
SELECT string_agg(DISTINCT s, ',' ORDER BY s) FROM numbers
SELECT string_agg(DISTINCT s, ', ' ORDER BY s DESC) FILTER (WHERE i < 4) FROM numbers
SELECT j, string_agg(DISTINCT s, ',' ORDER BY s) FROM numbers GROUP BY j ORDER BY j
SELECT list_sort(string_split(string_agg(DISTINCT s, ','), ',')) FROM numbers
SELECT length(group_concat(DISTINCT s, '|')), length(listagg(DISTINCT s, '||')) FROM numbers
SELECT string_agg(s) FROM (SELECT s FROM numbers ORDER BY i)
SELECT quantile_cont(DISTINCT x, 0.5), quantile_disc(DISTINCT j, 0.25), median(DISTINCT j) FROM numbers
SELECT quantile_cont(x, [0.25, 0.5, 0.75]), quantile_disc(i, 0.5) FROM numbers
SELECT arg_max(DISTINCT s, i), max_by(DISTINCT s, x), min_by(s, i), arg_min(s, x) FROM numbers
SELECT arg_max(s, i, 2), max(i, 3), min(s, 2) FROM numbers
SELECT covar_pop(i, x), corr(i, x), regr_slope(x, i), regr_count(x, i) FROM numbers
SELECT list_sort(list(DISTINCT j)), array_agg(i ORDER BY i DESC), list(s ORDER BY x NULLS FIRST, i) FROM numbers
SELECT first(s ORDER BY i), last(s ORDER BY i), any_value(s ORDER BY i DESC) FROM numbers
SELECT first(x ORDER BY i), arg_max_null(x, i) FROM numbers
SELECT count(*) FILTER (WHERE x > 2), sum(i) FILTER (x IS NOT NULL), count(x) FILTER (WHERE false) FROM numbers
SELECT count(DISTINCT j) FILTER (WHERE i > 1) FROM numbers
SELECT bool_and(b), bool_or(b), count_if(b), bit_and(i), bit_or(i), bit_xor(i) FROM numbers
SELECT stddev(x), stddev_pop(x), var_samp(x), variance(x), skewness(x), kurtosis(x), entropy(j), mad(x) FROM numbers
SELECT mode(j), product(i), geomean(i), fsum(x), favg(x), sem(x) FROM numbers
SELECT histogram(j) FROM numbers
SELECT histogram(i, [2, 4]) FROM numbers
SELECT approx_count_distinct(j) > 0, approx_quantile(i, 0.5) FROM numbers
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x), percentile_disc(0.5) WITHIN GROUP (ORDER BY i DESC) FROM numbers
SELECT mode() WITHIN GROUP (ORDER BY j) FROM numbers
SELECT j, count(*) FROM numbers GROUP BY j ORDER BY j
SELECT j, count(*) AS n FROM numbers GROUP BY ALL ORDER BY ALL
SELECT j AS k, sum(i) FROM numbers GROUP BY k ORDER BY k
SELECT j % 2, sum(i) FROM numbers GROUP BY j % 2 ORDER BY 1
SELECT j, b, count(*) FROM numbers GROUP BY 1, 2 ORDER BY 1, 2
SELECT j, sum(i) FROM numbers GROUP BY j HAVING sum(i) > 3 ORDER BY j
SELECT j, sum(i) AS total FROM numbers GROUP BY j HAVING total > 3 ORDER BY total
SELECT j, b, sum(i) FROM numbers GROUP BY GROUPING SETS ((j), (b), ()) ORDER BY ALL
SELECT j, b, sum(i), grouping(j), grouping_id(j, b) FROM numbers GROUP BY ROLLUP (j, b) ORDER BY ALL
SELECT j, b, count(*) FROM numbers GROUP BY CUBE (j, b) ORDER BY ALL
SELECT j, b, s, count(*) FROM numbers GROUP BY j, ROLLUP (b, s) ORDER BY ALL
SELECT count(*), arg_min(DISTINCT i % 5, i), b FROM numbers GROUP BY b, GROUPING SETS (j, ()) ORDER BY ALL
SELECT sum(i) FROM numbers WHERE false
SELECT count(*) FROM numbers HAVING count(*) > 100
SELECT max(sum) FROM (SELECT sum(i) FROM numbers GROUP BY j) t(sum)
SELECT sum(i * x) / nullif(sum(i), 0) FROM numbers
SELECT round(avg(x), 2), round(sum(d) / 3, 4) FROM numbers
SELECT json_group_array(s), json_group_object(s, i) FROM numbers WHERE i < 2
SELECT list_aggregate([1, 2, 3], 'sum'), list_sum([1.5, 2]), list_string_agg(['a', 'b'])
SELECT array_agg({'i': i, 's': s} ORDER BY i) FROM numbers
SELECT sum(CASE WHEN b THEN 1 ELSE 0 END), sum(b::INT) FROM numbers
SELECT avg(noted) FROM moments
SELECT count(*) AS count, sum(i) AS sum FROM numbers ORDER BY count, sum
SELECT weighted_avg(x, i) FROM numbers
