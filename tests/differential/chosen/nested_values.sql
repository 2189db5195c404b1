SELECT st.a, st.b, st['a'] FROM nested ORDER BY i
SELECT nested.st.a, n.st.b FROM nested, nested n WHERE nested.i = n.i ORDER BY 1
SELECT st.* FROM nested ORDER BY ALL
SELECT (st).a FROM nested ORDER BY 1
SELECT {'x': {'y': 1}}.x.y, {'x': [1, 2]}.x[2]
SELECT l[1], l[-1], l[0], l[99] FROM nested ORDER BY i
SELECT l[1:2], l[2:], l[:2], l[:], l[-2:], l[1:3:2] FROM nested ORDER BY i
SELECT 'hello'[1], 'hello'[2:3], 'hello'[-2:]
SELECT m['a'], m['nothing'], map_keys(m), map_values(m), cardinality(m) FROM nested ORDER BY i
SELECT element_at(m, 'a'), map_extract(m, 'b') FROM nested ORDER BY i
SELECT list_transform(l, lambda x: x + 1) FROM nested ORDER BY i
SELECT list_transform(l, lambda x, p: x * p) FROM nested ORDER BY i
SELECT list_filter(l, lambda x: x > 1), list_reduce([1, 2, 3], lambda a, b: a + b) FROM nested ORDER BY i
SELECT list_reduce([1, 2, 3], lambda a, b: a + b, 10)
SELECT list_transform([1, 2], lambda x: list_transform([10, 20], lambda y: x + y))
SELECT list_transform(l, lambda x: x + i) FROM nested ORDER BY i
SELECT array_transform([1, 2], lambda e: e % 2 = 0), list_apply(['a'], lambda t: upper(t))
SELECT [x + 1 FOR x IN [1, 2, 3]], [x FOR x IN [1, 2, 3] IF x > 1]
SELECT [x * i FOR x IN l IF x IS NOT NULL] FROM nested ORDER BY i
SELECT [upper(t) FOR t IN string_split('a,b', ',')]
SELECT list_sort([3, 1, NULL, 2]), list_sort([1, 3], 'DESC', 'NULLS FIRST'), list_reverse_sort([1, 3, 2])
SELECT list_contains([1, 2], 2), list_position(['a', 'b'], 'b'), list_distinct([1, 1]), list_unique([1, 1, 2])
SELECT flatten([[1], [2, 3]]), list_concat([1], [2]), list_zip([1, 2], ['a', 'b']), list_slice([1, 2, 3], 2, 3)
SELECT list_where([1, 2], [true, false]), list_select(['a', 'b'], [2, 1]), list_append([1], 2), list_prepend(0, [1])
SELECT struct_insert({'a': 1}, b := 2), struct_extract({'a': 1}, 'a'), struct_keys({'a': 1})
SELECT row(1, 2)[1], struct_extract(row('x', 'y'), 2)
SELECT st = {'a': 1, 'b': 'x'} FROM nested ORDER BY i
SELECT l || [9], l = [1, 2, 3], len(l) FROM nested ORDER BY i
SELECT unnest(map_entries(m)) FROM nested ORDER BY ALL
SELECT {'t': noted, 'w': word} FROM moments ORDER BY noted, id
SELECT [noted], MAP {'t': noted} FROM moments ORDER BY noted, id
SELECT arg_min({'w': word, 't': noted}, noted) FROM moments
SELECT list(noted ORDER BY noted) FROM moments
SELECT [1, 2, 3]::VARCHAR, {'a': 1}::VARCHAR, [1, 2]::DOUBLE[], ['1', '2']::INT[]
SELECT CAST({'a': 1, 'b': 2} AS STRUCT(a VARCHAR, b DOUBLE))
SELECT CAST(NULL AS MAP(VARCHAR, INT)), CAST([] AS INT[]), NULL::STRUCT(a INT, "b c" VARCHAR)
SELECT from_json('{"a": [1, 2]}', '{"a": ["INT"]}')
SELECT st::JSON, to_json(l), json_object('a', i), json_array(i, 'x') FROM nested ORDER BY i
SELECT 'a b c'.string_split(' '), 'x'.upper(), [3, 1].list_sort()
SELECT (i).abs() FROM nested ORDER BY 1
SELECT string_split('a-b', '-')[1], (string_split('a-b', '-'))[2]
SELECT apply([1, 2], lambda x: x + 1)
