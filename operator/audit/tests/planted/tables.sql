-- The columns that the audit reads, without the constraints that would refuse a planted fault.
CREATE TABLE programs (
    id bigint, shard smallint, user_limit int, seats_dirty boolean NOT NULL DEFAULT false
);
CREATE TABLE categories (program bigint, no smallint, first_seat int, rows int, row_len int);
CREATE TABLE orders (
    number bigint, nonce bytea, user_id text, program bigint, seats int[], unit_price_cents bigint,
    amount_cents bigint, idempotency_key text, status text, dirty boolean
);
CREATE TABLE order_seats (program bigint, seat int, order_number bigint);
CREATE TABLE blocked_seats (program bigint, seat int);
CREATE TABLE payments (
    id bigint GENERATED ALWAYS AS IDENTITY, reference text, order_number bigint, amount_cents bigint,
    status text, refund_cents bigint NOT NULL DEFAULT 0, refunded_cents bigint NOT NULL DEFAULT 0,
    reported_order bigint, refunded_by text
);
CREATE TABLE refunds (
    id bigint GENERATED ALWAYS AS IDENTITY, payment bigint, amount_cents bigint, of_order boolean,
    state text, ended_by text
);
CREATE TABLE parked (topic text, partition int, log_offset bigint, reason text);
CREATE TABLE unsettled (numbers bigint[])
