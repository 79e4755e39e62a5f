-- The table of idempotency keys. Run once per schema; safe to repeat. A row without result is
-- leased until expires_at; a row with result is completed and kept until then.
CREATE TABLE IF NOT EXISTS idempotency_keys (
  key text PRIMARY KEY,
  payload bytea NOT NULL,
  token bytea NOT NULL,
  result bytea,
  expires_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS idempotency_keys_expires_at ON idempotency_keys (expires_at);
