-- order-create, the usual batch in one statement: every record is an order without a row, and the batch
-- begins where the progress of its partitions stands. Stores the orders and their seats, lists the
-- orders for the sweep, and advances the progress.
-- Arguments: $1 to $14 as of create_orders, $12 the promised time to pay; $15 minimum time to pay, ms;
-- then arrays with one entry per partition: $16 topic, $17 partition, $18 first offset, $19 next
-- offset, $20 greatest log-append time ms or null.
-- Result: one row: `now_ms`; `batch`, the id of the listed orders, null if a partition's progress
-- stands elsewhere: then nothing is changed.
-- Fails with SQLSTATE 23505 if a number, a key or a seat is taken, and changes nothing then either.
-- Locks: progress ascending, the new orders ascending by number, their seats ascending.
-- Cost: one heap row and four index entries per order, one of each per seat.
WITH here AS (
    SELECT p.topic, p.partition, w.next_offset, w.appended_ms
    FROM progress p
    JOIN UNNEST($16::text[], $17::int[], $18::bigint[], $19::bigint[], $20::bigint[])
         AS w (topic, partition, first_offset, next_offset, appended_ms) USING (topic, partition)
    WHERE p.next_offset = w.first_offset
    ORDER BY p.topic, p.partition
    FOR UPDATE OF p
),
complete AS (SELECT count(*) = cardinality($16) AS yes FROM here),
stored AS (
    INSERT INTO orders (number, nonce, user_id, program, category, seats, unit_price_cents,
                        amount_cents, idempotency_key, status, pay_by, dirty, trace,
                        idempotency_hash)
    SELECT w.number, w.nonce, w.user_id, w.program, w.category, ($7::int[])[w.first:w.last],
           w.unit_price_cents, w.amount_cents, w.idempotency_key, 'unpaid',
           at_ms(GREATEST(w.pay_by_ms, (SELECT epoch_ms(now()) + $15::bigint))), false, w.trace,
           w.idempotency_hash
    FROM UNNEST($1::bigint[], $2::bytea[], $3::text[], $4::bigint[], $5::smallint[], $6::int[],
                $8::int[], $9::bigint[], $10::bigint[], $11::text[], $12::bigint[], $13::text[],
                $14::bytea[])
         AS w (number, nonce, user_id, program, category, first, last, unit_price_cents,
               amount_cents, idempotency_key, pay_by_ms, trace, idempotency_hash)
    WHERE (SELECT yes FROM complete)
    ORDER BY w.number
    RETURNING number, program, seats
),
seated AS (
    INSERT INTO order_seats (program, seat, order_number)
    SELECT w.program, w.seat, w.number
    FROM (SELECT program, UNNEST(seats) AS seat, number FROM stored) w
    ORDER BY w.program, w.seat, w.number
),
advanced AS (
    UPDATE progress p
    SET next_offset = here.next_offset,
        appended_at = GREATEST(p.appended_at, at_ms(here.appended_ms))
    FROM here, complete
    WHERE complete.yes AND p.topic = here.topic AND p.partition = here.partition
),
listed AS (
    INSERT INTO unsettled (numbers) SELECT $1 FROM complete WHERE yes RETURNING id
)
SELECT epoch_ms(now()) AS now_ms, (SELECT id FROM listed) AS batch
