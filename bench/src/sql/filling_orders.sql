-- Sells every seat of the only program in an unpaid order with a client's key: up to 65,536 order
-- numbers per millisecond.
INSERT INTO orders (number, nonce, user_id, program, category, seats, unit_price_cents,
                    amount_cents, idempotency_key, status, pay_by, dirty)
SELECT ((epoch_ms(now()) - 1704067200000 + seat / 65536) << 22) | (p.shard::bigint << 16)
         | seat % 65536,
       decode(md5(seat::text), 'hex'), 'buyer-' || seat, p.id, 0, ARRAY[seat], 1000, 1000,
       'key-' || seat, 'unpaid', now() + interval '1 hour', false
FROM programs p JOIN categories c ON c.program = p.id,
     generate_series(0, c.rows * c.row_len - 1) AS seat;
INSERT INTO order_seats (program, seat, order_number) SELECT program, seats[1], number FROM orders;
ANALYZE orders;
ANALYZE order_seats;
