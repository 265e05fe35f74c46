-- depends: 0002.keys
-- Signed tree heads. Each leaf partition of the log is a Merkle tree of its own (RFC 9162, section 2.1): its leaves are the
-- event hashes in log order. A head names the size and root of every tree and is signed as one.

CREATE TABLE tree_heads (
    id         bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    time       timestamptz NOT NULL,
    trees      jsonb       NOT NULL,
    key_id     integer     NOT NULL REFERENCES signing_keys,
    signature  bytea       NOT NULL
);

-- The right edge of each tree, so that a new head needs only the new leaves.
CREATE TABLE tree_edges (
    tree     text     PRIMARY KEY,
    size     bigint   NOT NULL,
    edge     bytea[]  NOT NULL,
    epoch    smallint NOT NULL,
    xid      xid8     NOT NULL,
    position bigint   NOT NULL
);

-- Months that were written to a file and detached. Their trees stay in all later heads with their last size and root.
CREATE TABLE archived_partitions (
    partition    text        PRIMARY KEY,
    class        smallint    NOT NULL,
    from_time    timestamptz NOT NULL,
    until_time   timestamptz NOT NULL,
    events       bigint      NOT NULL,
    root         bytea       NOT NULL,
    archived_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    attached_at  timestamptz
);

-- Where streams go on after a detached month: version and hash of their last event in it, so that chains stay verifiable.
CREATE TABLE archived_links (
    partition text    NOT NULL REFERENCES archived_partitions ON DELETE CASCADE,
    stream    text    NOT NULL,
    version   integer NOT NULL,
    hash      bytea   NOT NULL,
    PRIMARY KEY (partition, stream)
);
