-- The event log and what an append touches. Source of the reading order: DESIGN, (epoch, xid, position).

CREATE SCHEMA IF NOT EXISTS multiflexi;
REVOKE ALL ON SCHEMA multiflexi FROM PUBLIC;
GRANT USAGE ON SCHEMA multiflexi TO multiflexi_app, multiflexi_daemon, multiflexi_auditor;

-- A row for each cluster that the log has lived in. Transaction ids start anew in another cluster, so the epoch sorts first.
CREATE TABLE log_epoch (
    epoch             smallint    PRIMARY KEY,
    system_identifier bigint      NOT NULL,
    since             timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO log_epoch (epoch, system_identifier) SELECT 1, system_identifier FROM pg_control_system();

CREATE SEQUENCE event_position;

-- class: 1 configuration (kept for good), 2 life of jobs and tasks (by month), 3 output (by month).
-- stream: compared byte by byte; the rules of a language would take longer than the rest of a look-up.
-- hash: sha256(hash of the stream's event before, or 32 zero bytes || sha256(stored bytes of this event)).
CREATE TABLE events (
    epoch      smallint    NOT NULL,
    xid        xid8        NOT NULL DEFAULT pg_current_xact_id(),
    position   bigint      NOT NULL DEFAULT nextval('event_position'),
    class      smallint    NOT NULL,
    stream     text        COLLATE "C" NOT NULL,
    version    integer     NOT NULL,
    type       text        NOT NULL,
    company_id integer,
    time       timestamptz NOT NULL,
    data       jsonb       NOT NULL,
    meta       jsonb       NOT NULL,
    payload    bytea,
    hash       bytea       NOT NULL
) PARTITION BY RANGE (class, time);

CREATE TABLE events_configuration PARTITION OF events FOR VALUES FROM (1, MINVALUE) TO (2, MINVALUE);

CREATE UNIQUE INDEX events_configuration_stream ON events_configuration (stream, version);
CREATE UNIQUE INDEX events_configuration_log ON events_configuration (epoch, xid, position);

-- What is passed to the folds of the projections: an event without its payload and its hash.
CREATE TYPE event AS (
    epoch      smallint,
    xid        xid8,
    position   bigint,
    stream     text,
    version    integer,
    type       text,
    company_id integer,
    time       timestamptz,
    data       jsonb,
    meta       jsonb
);

-- The head of each stream. xid of the last append: a transaction with a smaller one may not append after it, or the order
-- of the log would contradict the order of the stream.
CREATE TABLE streams (
    stream     text        COLLATE "C" PRIMARY KEY,
    class      smallint    NOT NULL,
    company_id integer,
    version    integer     NOT NULL,
    hash       bytea       NOT NULL,
    xid        xid8        NOT NULL,
    first_time timestamptz NOT NULL,
    last_time  timestamptz NOT NULL
) WITH (fillfactor = 85);

-- What a command with a key answered, so that its repetition answers the same.
CREATE TABLE idempotency_keys (
    key         text        PRIMARY KEY,
    company_id  integer,
    fingerprint bytea       NOT NULL,
    result      jsonb       NOT NULL,
    time        timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX idempotency_keys_time ON idempotency_keys (time);
