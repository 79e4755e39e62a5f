-- Files of API calls: which objects of a store have which calls. Readers follow this table, never a list of objects.
-- Columns and invariants: docs/reference/postgres.md.

CREATE TABLE api_files (
    -- Below the folder of the environment. Ends with a hash of the content: objects under one path have the same bytes.
    path           text COLLATE "C" PRIMARY KEY,
    hour           timestamptz NOT NULL,
    -- Null in the row of an object that no transaction has committed.
    source         int,
    first_offset   bigint,
    last_offset    bigint,
    calls          bigint CHECK (calls > 0),
    bytes          bigint,
    min_at         timestamptz,
    max_at         timestamptz,
    sha256         bytea CHECK (octet_length(sha256) = 32),
    schema_version int,
    -- How often its calls were merged from smaller files.
    level          int,
    -- When the newest of its calls was stored.
    stored_at      timestamptz,
    -- Since when no manifest lists it. The object is deleted later.
    removed_at     timestamptz,
    CHECK (removed_at IS NOT NULL
        OR num_nulls(source, first_offset, last_offset, calls, bytes, min_at, max_at, sha256, schema_version, level, stored_at) = 0)
);

-- What is merged, and what is too old.
CREATE INDEX api_files_hour ON api_files (hour, source, level) WHERE removed_at IS NULL;
CREATE INDEX api_files_removed ON api_files (removed_at) WHERE removed_at IS NOT NULL;

-- One row: locked while a manifest is written, so that a later one is never replaced by an earlier one.
CREATE TABLE api_manifest (
    id      int PRIMARY KEY CHECK (id = 1),
    version bigint NOT NULL
);

INSERT INTO api_manifest (id, version) VALUES (1, 0);
