-- depends: 0003.tree-heads
-- Where each projection stands. An inline projection moves with every append and has no cursor of its own.

CREATE TABLE projections (
    name       text        PRIMARY KEY,
    version    integer     NOT NULL,
    inline     boolean     NOT NULL,
    epoch      smallint    NOT NULL DEFAULT 0,
    xid        xid8        NOT NULL DEFAULT '0',
    position   bigint      NOT NULL DEFAULT 0,
    event_time timestamptz,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    rebuilt_at timestamptz
);

-- Ids that users see. A gap is harmless, a repetition is not: sequences.
CREATE SEQUENCE company_id AS integer;
CREATE SEQUENCE application_id AS integer;
CREATE SEQUENCE run_template_id AS integer;
CREATE SEQUENCE job_id AS integer;

-- Signs of life and leases of daemons: state, not events.
CREATE TABLE daemons (
    id         text        PRIMARY KEY,
    kind       text        NOT NULL,
    host       text        NOT NULL,
    pid        integer     NOT NULL,
    version    text        NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    detail     jsonb       NOT NULL DEFAULT '{}'
);

-- job_id integer ids; a lease is held by one executor until it runs out.
CREATE TABLE job_leases (
    job_id        integer     PRIMARY KEY,
    company_id    integer     NOT NULL,
    daemon_id     text        NOT NULL,
    host          text        NOT NULL,
    version       integer     NOT NULL,
    pid           integer,
    pid_start     bigint,
    command       jsonb,
    expires_at    timestamptz NOT NULL
);
CREATE INDEX job_leases_expires ON job_leases (expires_at);
