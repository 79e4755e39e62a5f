-- Counters of this database and of the server's log since they were last reset.
-- Arguments: none. Result: one row.
SELECT xact_commit + xact_rollback AS transactions,
       tup_inserted AS inserted, tup_updated AS updated, tup_deleted AS deleted,
       wal_bytes::int8 AS wal_bytes, wal_sync AS wal_syncs
FROM pg_stat_database, pg_stat_wal
WHERE datname = current_database()
