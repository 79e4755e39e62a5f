-- The table of applied migrations. Idempotent.
-- Arguments and result: none.
CREATE TABLE IF NOT EXISTS migrations (
    version    int PRIMARY KEY,
    name       text NOT NULL,
    hash       bytea NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
