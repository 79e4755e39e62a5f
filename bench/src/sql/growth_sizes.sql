-- Sizes of the tables that grow with each order, and of their indexes.
-- Arguments: none. Result: one row for each index, those of a table one after the other.
SELECT t.relname::text AS of,
       CASE t.relname WHEN 'orders' THEN (SELECT count(*) FROM orders)
                      ELSE (SELECT count(*) FROM order_seats) END::float8 AS rows,
       pg_table_size(t.oid)::float8 AS heap_bytes,
       i.relname::text AS index, pg_relation_size(i.oid)::float8 AS index_bytes
FROM pg_class t
JOIN pg_index x ON x.indrelid = t.oid
JOIN pg_class i ON i.oid = x.indexrelid
WHERE t.oid IN ('orders'::regclass, 'order_seats'::regclass)
ORDER BY t.relname DESC, i.relname
