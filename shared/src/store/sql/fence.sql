-- Makes a number void unless it has a row, so that order-create can never store it.
-- Arguments: $1 number, $2 nonce, $3 user, $4 program, $5 category, $6 seats, $7 key, $8 reason; $3
-- to $5 and $7 may be null.
-- Result: the row, only if this statement made it. Waits for a transaction that is storing the same
-- number. Idempotent.
WITH o AS (
    INSERT INTO orders (number, nonce, user_id, program, category, seats, idempotency_key, status,
                        reason)
    VALUES ($1, $2, $3, $4, $5, $6::int[], $7, 'void', $8)
    ON CONFLICT (number) DO NOTHING
    RETURNING *
)
SELECT o.number, o.nonce, o.user_id, o.program, o.category, o.seats, o.unit_price_cents,
       o.amount_cents, o.idempotency_key, o.status, o.reason, o.duplicate_of,
       epoch_ms(o.pay_by) AS pay_by_ms, epoch_ms(o.pay_by) - epoch_ms(now()) AS remaining_ms,
       o.version, epoch_ms(o.created_at) AS created_at_ms, o.trace
FROM o
