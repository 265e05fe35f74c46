-- depends: 0002.keys
-- Signed tree heads. Each leaf partition of the log is a Merkle tree of its own (RFC 9162, section 2.1); its leaves are its
-- events in log order. A head states the size and root of every tree and is signed as one.

-- epoch, xid, position: the last event of the log that the head covers. previous: SHA-256 of the signed bytes and the
-- signature of the head before, 32 zero bytes for the first. Ids have no gaps.
CREATE TABLE tree_heads (
    id         bigint      PRIMARY KEY,
    time       timestamptz NOT NULL,
    epoch      smallint    NOT NULL,
    xid        xid8        NOT NULL,
    position   bigint      NOT NULL,
    previous   bytea       NOT NULL,
    key_id     integer     NOT NULL REFERENCES signing_keys,
    signature  bytea       NOT NULL
);

-- The trees that grew up to a head. All others stand as in the heads before it.
CREATE TABLE tree_sizes (
    head_id bigint NOT NULL REFERENCES tree_heads,
    tree    text   NOT NULL,
    size    bigint NOT NULL,
    root    bytea  NOT NULL,
    PRIMARY KEY (head_id, tree)
);
CREATE UNIQUE INDEX tree_sizes_tree ON tree_sizes (tree, head_id);

-- The right edge of each tree, so that a new head needs only the new leaves.
CREATE TABLE tree_edges (
    tree text    PRIMARY KEY,
    size bigint  NOT NULL,
    edge bytea[] NOT NULL
);

-- What the leaves were made of (eventstore.leaves), compressed, from the leaf number start on. The signed roots vouch for it,
-- so an event that is removed or altered later can be named. Goes with its partition when that is archived.
CREATE TABLE tree_leaves (
    tree   text    NOT NULL,
    start  bigint  NOT NULL,
    count  integer NOT NULL,
    leaves bytea   NOT NULL,
    PRIMARY KEY (tree, start)
);
ALTER TABLE tree_leaves ALTER COLUMN leaves SET STORAGE EXTERNAL;

-- Months that were detached. Their trees stay in all later heads with their last size and root.
-- file_kept: whether they were written to a file that can be attached again.
CREATE TABLE archived_partitions (
    partition    text        PRIMARY KEY,
    class        smallint    NOT NULL,
    from_time    timestamptz NOT NULL,
    until_time   timestamptz NOT NULL,
    events       bigint      NOT NULL,
    root         bytea       NOT NULL,
    file_kept    boolean     NOT NULL,
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
CREATE INDEX archived_links_stream ON archived_links (stream, version);

GRANT SELECT, INSERT ON tree_sizes, tree_leaves TO multiflexi_daemon;
