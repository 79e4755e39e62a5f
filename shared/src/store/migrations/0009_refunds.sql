-- Refunds: money that goes back to buyers, handed out to the payment provider, each once under a key of its own.
-- Columns and invariants: docs/reference/postgres.md.

ALTER TABLE payments
    -- What refunds claim of the amount, and what of that is refunded.
    ADD COLUMN refund_cents   bigint NOT NULL DEFAULT 0,
    ADD COLUMN refunded_cents bigint NOT NULL DEFAULT 0,
    -- The order that the provider named, if an operator has assigned the payment to another one.
    ADD COLUMN reported_order bigint,
    ADD COLUMN assigned_at    timestamptz,
    ADD COLUMN assigned_by    text;

UPDATE payments SET refund_cents = amount_cents, refunded_cents = amount_cents WHERE status = 'refunded';

ALTER TABLE payments
    ADD CHECK (refunded_cents BETWEEN 0 AND refund_cents AND refund_cents <= amount_cents),
    ADD CHECK ((reported_order IS NULL) = (assigned_at IS NULL) AND (assigned_at IS NULL) = (assigned_by IS NULL));

-- A notification that is repeated after its payment was assigned to another order is no new payment.
CREATE UNIQUE INDEX payments_reported ON payments (reference, COALESCE(reported_order, order_number), amount_cents);
-- What no refund claims yet.
CREATE INDEX payments_unclaimed ON payments (id) WHERE status IN ('to_refund', 'amount_differs') AND refund_cents = 0;

CREATE TABLE refunds (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment      bigint NOT NULL REFERENCES payments (id),
    amount_cents bigint NOT NULL CHECK (amount_cents > 0),
    -- Of the payment that paid its order; else of a payment that pays none.
    of_order     boolean NOT NULL,
    state        text NOT NULL DEFAULT 'to_refund' CHECK (state IN ('to_refund', 'handed_out', 'refunded', 'refused')),
    -- What the provider recognises a repetition by: derived from the payment, so that it is the same after a restored backup.
    key          text NOT NULL UNIQUE,
    -- Raised when a refused refund is tried again, with another key.
    round        int NOT NULL DEFAULT 1,
    -- Times handed out in this round.
    attempts     int NOT NULL DEFAULT 0,
    -- When it is handed out next; while it is handed out: when its lease ends.
    due_at       timestamptz NOT NULL DEFAULT now(),
    token        bytea CHECK (octet_length(token) = 16),
    requested_by text,
    request_key  text,
    note         text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    ended_at     timestamptz,
    -- The operator who recorded the refund; null if the provider answered.
    ended_by     text,
    -- The provider's reference of the refund, its reason, the last failure, or the operator's note.
    answer       text,
    UNIQUE (payment, request_key),
    CHECK ((state = 'handed_out') = (token IS NOT NULL)),
    CHECK ((state IN ('refunded', 'refused')) = (ended_at IS NOT NULL)),
    CHECK (of_order = (request_key IS NOT NULL) AND of_order = (requested_by IS NOT NULL))
);

-- What is to be handed out, and what an operator must look at. Ended refunds need no entry.
CREATE INDEX refunds_due ON refunds (due_at) WHERE state IN ('to_refund', 'handed_out');
CREATE INDEX refunds_refused ON refunds (id) WHERE state = 'refused';
