-- Changes of programs that are committed and may not stand in the stream yet. Told in docs/postgres.md.

-- Found by the flag, never by a position: transactions commit in another order than they take numbers, and a cursor would pass one by.
CREATE TABLE outbox (
    program    bigint NOT NULL,
    version    bigint NOT NULL,
    published  boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (program, version)
);

-- Nearly always empty.
CREATE INDEX outbox_unpublished ON outbox (created_at) WHERE NOT published;
