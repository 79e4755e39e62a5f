-- How many tables of a schema a role cannot read.
-- Arguments: $1 role, $2 schema. Result: the number.
SELECT count(*) FROM pg_tables t
WHERE t.schemaname = $2
    AND NOT has_table_privilege($1, format('%I.%I', t.schemaname, t.tablename), 'SELECT')
