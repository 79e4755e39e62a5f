-- Locks the environment for one migration run. The end of the transaction releases it.
-- Arguments: $1 schema.
SELECT pg_advisory_xact_lock(hashtextextended('migrate ' || $1, 0))
