-- A provider's reference may come back with another order or amount: every such payment is a row of its own, to be refunded.
-- Operators list payments by identity and record what was refunded. Columns and invariants: docs/postgres.md.

ALTER TABLE payments
    ADD COLUMN id            bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    -- The reference was another payment's before. Such a payment never pays an order.
    ADD COLUMN reused        boolean NOT NULL DEFAULT false,
    ADD COLUMN refunded_at   timestamptz,
    ADD COLUMN refunded_by   text,
    ADD COLUMN refunded_note text,
    DROP CONSTRAINT payments_pkey,
    ADD PRIMARY KEY (reference, order_number, amount_cents),
    ADD CHECK (NOT reused OR status IN ('to_refund', 'refunded')),
    ADD CHECK (refunded_at IS NULL OR (status = 'refunded' AND refunded_by IS NOT NULL AND refunded_note IS NOT NULL));

-- Of several payments under one reference the first is the payment.
CREATE UNIQUE INDEX payments_first ON payments (reference) WHERE NOT reused;
-- What operators list. Nearly all payments are applied, and those need no index.
CREATE INDEX payments_open ON payments (status, id) WHERE status <> 'applied';
