-- Barriers that prove an accepted order lost, and offsets that a consumer never received.
-- Tables, columns and invariants are described in docs/postgres.md.

-- A request is numbered by its partition. It is passed when a barrier that was appended after the request has been handled.
CREATE TABLE barriers (
    topic      text NOT NULL,
    partition  int NOT NULL,
    requested  bigint NOT NULL,
    -- The latest request that the latest barrier covers, and that barrier's token until it is passed.
    covered    bigint NOT NULL DEFAULT 0,
    token      bytea CHECK (octet_length(token) = 16),
    passed     bigint NOT NULL DEFAULT 0,
    -- Barriers appended since one was passed, and when the next may be.
    attempts   int NOT NULL DEFAULT 0,
    send_after timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, partition),
    CHECK (passed <= covered AND covered <= requested)
);

-- Accepted orders that had no row when payment was due.
CREATE TABLE barrier_waits (
    order_number bigint NOT NULL,
    nonce        bytea NOT NULL CHECK (octet_length(nonce) = 16),
    topic        text NOT NULL,
    partition    int NOT NULL,
    request      bigint NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (order_number, nonce)
);

-- Offsets that progress passed without a record: [from_offset, until_offset).
CREATE TABLE progress_gaps (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic          text NOT NULL,
    partition      int NOT NULL,
    incarnation    int NOT NULL,
    from_offset    bigint NOT NULL,
    until_offset   bigint NOT NULL,
    found_at       timestamptz NOT NULL DEFAULT now(),
    -- How far a replay has come.
    replayed_until bigint NOT NULL,
    closed_at      timestamptz,
    closed_by      text,
    closed_why     text,
    CHECK (from_offset < until_offset AND replayed_until BETWEEN from_offset AND until_offset),
    CHECK ((closed_at IS NULL) = (closed_why IS NULL))
);

-- Nearly always empty: only a redelivery reads it.
CREATE INDEX progress_gaps_open ON progress_gaps (topic, partition) WHERE closed_at IS NULL;
