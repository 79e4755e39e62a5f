-- One migration run at a time and environment; freed by the end of the transaction.
-- Arguments: $1 schema.
SELECT pg_advisory_xact_lock(hashtextextended('migrate ' || $1, 0))
