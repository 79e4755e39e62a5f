-- What a client's key stood for is kept with its order, so that a gate that has lost its keys can be given them back.

-- SHA-256 of what the request asked for; null where there was no key, and in orders stored before this migration.
ALTER TABLE orders ADD COLUMN idempotency_hash bytea CHECK (octet_length(idempotency_hash) = 32);

-- Orders that ended and whose key still leads to them. Live ones are found by their seats: creating an order writes nothing here.
CREATE INDEX orders_named_ended ON orders (program, number)
    WHERE idempotency_key IS NOT NULL AND status IN ('cancelled', 'closed', 'refunded');
