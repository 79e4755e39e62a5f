-- Unpaid orders of one seat each, as a rush leaves them: 200,000 in a program, 1,024 numbers in a
-- millisecond, a key each.
-- Arguments: $1 orders.
WITH n AS (SELECT generate_series(0::bigint, $1::bigint - 1) AS n),
stored AS (
    INSERT INTO orders (number, nonce, user_id, program, category, seats, unit_price_cents,
                        amount_cents, idempotency_key, status, pay_by, dirty)
    SELECT ((epoch_ms(now()) - 1704067200000 + n / 1024) << 22) | (7 << 16) | n * 40503 % 65536,
           decode(md5(n::text), 'hex'), 'buyer-' || n % 50000, 1 + n / 200000, 0,
           ARRAY[n::int % 200000], 1000, 1000, 'key-' || n, 'unpaid', now() + interval '1 hour',
           false
    FROM n
    RETURNING number, program, seats
)
INSERT INTO order_seats (program, seat, order_number) SELECT program, seats[1], number FROM stored
