-- depends: 0080.customers-and-servers
-- How many refusals of each user there were since a moment, so that nobody fills the log with theirs. what: any, hidden.
CREATE TABLE refusal_count (
    user_id    integer     NOT NULL,
    company_id integer,
    what       text        NOT NULL,
    since      timestamptz NOT NULL,
    refusals   integer     NOT NULL,
    PRIMARY KEY (user_id, what)
);
