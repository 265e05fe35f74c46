-- How much each job wrote to each channel; the bytes themselves are read from the log.
CREATE TABLE job_output (
    job_id       integer     NOT NULL,
    channel      text        NOT NULL,
    company_id   integer     NOT NULL,
    chunks       bigint      NOT NULL,
    bytes        bigint      NOT NULL,
    dropped      bigint      NOT NULL,
    last_version integer     NOT NULL,
    first_at     timestamptz NOT NULL,
    last_at      timestamptz NOT NULL,
    PRIMARY KEY (job_id, channel)
) WITH (fillfactor = 80);
CREATE INDEX job_output_company ON job_output (company_id);

-- Folds captured and dropped output into job_output. Takes a batch in log order.
CREATE FUNCTION fold_job_output(batch event[]) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO job_output AS t (job_id, channel, company_id, chunks, bytes, dropped, last_version, first_at, last_at)
    SELECT (b.data->>'job_id')::integer, b.data->>'channel', b.company_id,
           count(*) FILTER (WHERE b.type = 'OutputCaptured'),
           coalesce(sum((b.data->>'length')::bigint) FILTER (WHERE b.type = 'OutputCaptured'), 0),
           coalesce(sum((b.data->>'length')::bigint) FILTER (WHERE b.type = 'OutputDropped'), 0),
           max(b.version), min((b.data->>'captured_at')::timestamptz), max((b.data->>'captured_at')::timestamptz)
      FROM unnest(batch) b
     WHERE b.type IN ('OutputCaptured', 'OutputDropped')
     GROUP BY 1, 2, 3
    ON CONFLICT (job_id, channel) DO UPDATE
       SET chunks = t.chunks + excluded.chunks, bytes = t.bytes + excluded.bytes, dropped = t.dropped + excluded.dropped,
           last_version = excluded.last_version, first_at = least(t.first_at, excluded.first_at),
           last_at = greatest(t.last_at, excluded.last_at);
END
$$;
