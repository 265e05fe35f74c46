-- depends: 0005.tasks
-- Contents of the files that jobs leave, once for each company and SHA-256 however many jobs leave the same.
-- size: bytes in clear; key: the data key that the payload (compressed) is encrypted under.
CREATE TABLE artifact_content (
    company_id integer     NOT NULL,
    digest     text        NOT NULL,
    size       bigint      NOT NULL,
    key        bigint      NOT NULL,
    payload    bytea       NOT NULL,
    stored_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (company_id, digest)
);
-- It is encrypted: compressing it once more would take time and save nothing.
ALTER TABLE artifact_content ALTER COLUMN payload SET STORAGE EXTERNAL;
