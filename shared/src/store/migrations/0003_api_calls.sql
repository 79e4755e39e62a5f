-- API calls: the records, their sums by minute, and how far the collector has come.
-- Tables, columns and invariants are told in docs/postgres.md.

-- Where rows came from: a partition of one incarnation of a topic. Every row carries its source, so that batches of different
-- partitions never write the same row: no deadlock between them, and no hot row.
CREATE TABLE api_sources (
    id          int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic       text NOT NULL,
    partition   int NOT NULL,
    incarnation int NOT NULL,
    UNIQUE (topic, partition, incarnation)
);

-- How far the collector has come. Locked by the transaction of each batch: whoever holds the row may add to its source.
-- Incarnation 0: nothing was ever read.
CREATE TABLE api_progress (
    topic       text NOT NULL,
    partition   int NOT NULL,
    incarnation int NOT NULL DEFAULT 0,
    source      int REFERENCES api_sources,
    next_offset bigint NOT NULL DEFAULT 0,
    appended_at timestamptz,
    PRIMARY KEY (topic, partition),
    CHECK ((incarnation = 0) = (source IS NULL))
);

-- No foreign keys from here on: they would be checked row by row, and a row is written only by who holds its source's progress.
CREATE TABLE api_minutes (
    source      int NOT NULL,
    minute      timestamptz NOT NULL,
    route       text NOT NULL,
    status      smallint NOT NULL,
    client      text NOT NULL,
    calls       bigint NOT NULL,
    duration_us bigint NOT NULL,
    max_us      bigint NOT NULL,
    -- Calls by duration, one counter a bucket: the bounds are in shared/src/api_stats.
    buckets     bigint[] NOT NULL CHECK (cardinality(buckets) = 14),
    PRIMARY KEY (source, minute, route, status, client)
);

CREATE INDEX api_minutes_time ON api_minutes (minute);

CREATE TABLE api_calls (
    source      int NOT NULL,
    log_offset  bigint NOT NULL,
    at          timestamptz NOT NULL,
    id          bytea NOT NULL,
    route       text NOT NULL,
    url         text COLLATE "C" NOT NULL,
    status      smallint NOT NULL,
    duration_us bigint NOT NULL,
    client      text NOT NULL,
    user_id     text,
    ip          text,
    trace       bytea,
    instance    text NOT NULL,
    PRIMARY KEY (source, log_offset)
);

-- The order of every list: newest first, ties by where the record lies.
CREATE INDEX api_calls_time ON api_calls (at, source, log_offset);
CREATE INDEX api_calls_ip ON api_calls (ip, at) WHERE ip IS NOT NULL;
CREATE INDEX api_calls_route ON api_calls (route, at);
-- Collated by bytes, so that a prefix is a range.
CREATE INDEX api_calls_url ON api_calls (url, at);
-- Few calls fail, and those are looked for; the others are all the same.
CREATE INDEX api_calls_status ON api_calls (status, at) WHERE status >= 400;
