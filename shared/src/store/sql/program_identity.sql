-- The identity of the next program. Its usual shard follows from it.
-- Arguments: none. Result: the identity, never used before.
SELECT nextval(pg_get_serial_sequence('programs', 'id'))
