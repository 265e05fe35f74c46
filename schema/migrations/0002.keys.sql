-- depends: 0001.event-log
-- Keys. A data key belongs to a data subject or a company and is stored wrapped by a master key; the master key is never here.

CREATE TABLE master_keys (
    id         integer     PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    proof      bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    retired_at timestamptz
);

-- The id stands in every ciphertext: once the row is gone, or its owner has another key, that ciphertext reads as erased.
CREATE TABLE data_keys (
    id         bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    owner      text        NOT NULL UNIQUE,
    company_id integer,
    master_id  integer     NOT NULL REFERENCES master_keys,
    wrapped    bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Ed25519 keys that sign tree heads; the private half is wrapped by a master key, the public half is bound to the wrapping.
CREATE TABLE signing_keys (
    id         integer     PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    public_key bytea       NOT NULL UNIQUE,
    master_id  integer     NOT NULL REFERENCES master_keys,
    wrapped    bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    retired_at timestamptz
);
