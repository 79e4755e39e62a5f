-- The identity of the next program: its usual shard follows from it.
-- Arguments: none. Result: the identity; never handed out twice.
SELECT nextval(pg_get_serial_sequence('programs', 'id'))
