-- What the sweep needs to stay cheap and fair: the payments to refund without a scan of all, and how far each of its rounds has come.
-- Tables, columns and invariants are told in docs/postgres.md.

-- Money on its way back: few rows among all that were ever paid.
CREATE INDEX payments_to_refund ON payments (order_number) WHERE status IN ('to_refund', 'amount_differs');

-- Where a round of the sweep goes on, in whatever process the next tick runs.
CREATE TABLE sweep_positions (
    round      text PRIMARY KEY,
    position   text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
