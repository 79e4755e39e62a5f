-- Parked records can be listed, shown, put back on their topic, or discarded: each gets an identity, a state, and a history.
-- Tables, columns and invariants are told in docs/postgres.md.

ALTER TABLE parked
    ADD COLUMN id            bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    ADD COLUMN state         text NOT NULL DEFAULT 'parked' CHECK (state IN ('parked', 'replayed', 'discarded')),
    -- Acknowledged by the brokers; attempts counts those too that failed, or of which nothing was heard again.
    ADD COLUMN replays       int NOT NULL DEFAULT 0,
    ADD COLUMN attempts      int NOT NULL DEFAULT 0,
    -- A replay is under way until then, unless it ends sooner; one that died is in nobody's way afterwards.
    ADD COLUMN busy_until    timestamptz,
    ADD COLUMN discarded_at  timestamptz,
    ADD COLUMN discarded_by  text,
    ADD COLUMN discarded_why text,
    ADD CHECK ((state = 'discarded') = (discarded_at IS NOT NULL)
        AND (state <> 'discarded' OR (discarded_by IS NOT NULL AND discarded_why IS NOT NULL))),
    ADD CHECK (state <> 'replayed' OR replays > 0);

CREATE INDEX parked_of_topic ON parked (topic, id);
-- What still waits for a person.
CREATE INDEX parked_open ON parked (id) WHERE state = 'parked';

-- Every attempt at putting a record back, for ever.
CREATE TABLE parked_replays (
    parked     bigint NOT NULL REFERENCES parked (id),
    attempt    int NOT NULL,
    asked_by   text NOT NULL,
    began_at   timestamptz NOT NULL DEFAULT now(),
    ended_at   timestamptz,
    outcome    text NOT NULL DEFAULT 'begun' CHECK (outcome IN ('begun', 'published', 'refused', 'unknown')),
    partition  int,
    log_offset bigint,
    note       text,
    PRIMARY KEY (parked, attempt),
    CHECK ((outcome = 'published') = (partition IS NOT NULL AND log_offset IS NOT NULL))
);
