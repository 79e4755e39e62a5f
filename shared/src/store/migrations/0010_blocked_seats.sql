-- Seats that are not for sale, and programs whose seats the gate may not have as they are here.
-- Columns and invariants: docs/reference/postgres.md.

CREATE TABLE blocked_seats (
    program    bigint NOT NULL REFERENCES programs,
    seat       int NOT NULL,
    reason     text NOT NULL,
    blocked_by text NOT NULL,
    blocked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (program, seat)
);

-- Seats were added, blocked or unblocked, and the gate may lack that. As of orders: set by the transaction of the change.
ALTER TABLE programs ADD COLUMN seats_dirty boolean NOT NULL DEFAULT false;
CREATE INDEX programs_seats_dirty ON programs (id) WHERE seats_dirty;
