SELECT properties->>'plan' FROM events ORDER BY event_id
SELECT properties->'items' FROM events ORDER BY event_id
SELECT json_array_length(properties->'items') FROM events ORDER BY event_id
SELECT lower((context->'page')->>'path') FROM events ORDER BY event_id
SELECT lower(context->'page'->>'path') FROM events ORDER BY event_id
SELECT count(properties->'items'), coalesce(context->'page'->>'path', '-') FROM events GROUP BY ALL ORDER BY ALL
WITH t AS (SELECT properties->'items' AS j FROM events) SELECT json_array_length(j->0) FROM t ORDER BY ALL
WITH t AS (SELECT properties->'items' AS j FROM events) SELECT j->0->>'sku', j->>0 FROM t ORDER BY ALL
SELECT json_type(properties->'items'), json_type((properties->'plan')) FROM events ORDER BY event_id
SELECT string_agg(properties->>'plan', ',' ORDER BY event_id) FROM events
SELECT string_agg(event_id, ',' ORDER BY properties->>'plan', event_id) FROM events
SELECT count(DISTINCT properties->>'plan') FROM events
SELECT count(*) FILTER (WHERE (properties->>'plan') = 'pro') FROM events
SELECT lag(properties->>'plan') OVER (ORDER BY event_id) FROM events ORDER BY event_id
SELECT if((properties->>'plan') = 'pro', 1, 0) FROM events ORDER BY event_id
SELECT concat(properties->>'plan', '!', event_id), length(properties->>'plan') FROM events ORDER BY event_id
SELECT md5(properties->>'plan'), regexp_extract(properties->>'plan', '^.') FROM events ORDER BY event_id
SELECT unnest(from_json(properties->'items', '["JSON"]')) FROM events ORDER BY ALL
SELECT array_agg(properties->>'plan' ORDER BY event_id) FROM events
SELECT any_value(properties->>'plan') FROM events WHERE event_id = 'a'
SELECT list_transform([1, 2], lambda plan: plan + 1), json_array_length(properties->'items') FROM events ORDER BY event_id
SELECT CAST(properties->>'n' AS INT), (properties->>'n')::INT + 1 FROM events ORDER BY event_id
SELECT try_cast(properties->>'n' AS DOUBLE) FROM events ORDER BY event_id
SELECT events.properties->>'plan', e2.properties->'items'->0 FROM events JOIN events e2 USING (event_id) ORDER BY event_id
SELECT json_extract(properties, '$.items[*].sku'), json_extract_string(properties, '/plan') FROM events ORDER BY event_id
SELECT json_keys(properties), json_valid(properties), json_structure(properties) FROM events ORDER BY event_id
SELECT event_id FROM events WHERE (properties->>'plan') IN ('pro', 'free') ORDER BY event_id
SELECT event_id FROM events WHERE (properties->>'plan') LIKE 'p%' ORDER BY event_id
SELECT event_id FROM events WHERE (properties->>'plan') IS NULL ORDER BY event_id
SELECT (properties->>'plan') || '!' FROM events ORDER BY event_id
SELECT CASE WHEN (properties->>'plan') = 'pro' THEN 1 END FROM events ORDER BY event_id
SELECT event_id FROM events ORDER BY properties->>'plan' DESC NULLS LAST, event_id
SELECT DISTINCT ON (properties->>'plan') properties->>'plan' AS plan, event_id FROM events ORDER BY plan, event_id
SELECT (properties->>'plan') AS plan, count(*) FROM events GROUP BY plan ORDER BY plan
SELECT row_number() OVER (PARTITION BY properties->>'plan' ORDER BY event_id) FROM events ORDER BY event_id
SELECT [properties->>'plan', event_id], {'p': properties->>'plan'} FROM events ORDER BY event_id
SELECT j->'a'->>'b' FROM (SELECT '{"a": {"b": 1}}'::JSON AS j)
SELECT '{"a": 1}'::JSON->>'a', ('{"a": [5]}'::JSON->'a')->>0
