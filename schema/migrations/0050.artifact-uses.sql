-- depends: 0011.payload-storage
-- Jobs that are about to refer to a content: it is not deleted before their end is in the log and in the read model of files.
CREATE TABLE artifact_use (
    company_id integer     NOT NULL,
    digest     text        NOT NULL,
    job_id     integer     NOT NULL,
    since      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (company_id, digest, job_id)
);
