-- How much each job wrote to each channel in each month of the log (UTC); the bytes themselves are read from the log.
-- By month, because the log lets go of output by month, and then its rows here.
CREATE TABLE job_output (
    job_id       integer     NOT NULL,
    channel      text        NOT NULL,
    month        date        NOT NULL,
    company_id   integer     NOT NULL,
    chunks       bigint      NOT NULL,
    bytes        bigint      NOT NULL,
    dropped      bigint      NOT NULL,
    last_version integer     NOT NULL,
    first_at     timestamptz NOT NULL,
    last_at      timestamptz NOT NULL,
    PRIMARY KEY (job_id, channel, month)
) WITH (fillfactor = 80);
CREATE INDEX job_output_company ON job_output (company_id, month);

-- Folds captured and dropped output into job_output. Takes a batch in log order.
CREATE FUNCTION fold_job_output(batch event[]) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO job_output AS t (job_id, channel, month, company_id, chunks, bytes, dropped, last_version, first_at, last_at)
    SELECT min(o.job_id)::integer, o.channel, o.month, min(o.company_id), count(*) FILTER (WHERE o.captured),
           coalesce(sum(o.length) FILTER (WHERE o.captured), 0), coalesce(sum(o.length) FILTER (WHERE NOT o.captured), 0),
           max(o.version), min(o.captured_at), max(o.captured_at)
      FROM (
        SELECT b.stream, b.version, b.company_id, b.type = 'OutputCaptured' AS captured, b.data->>'job_id' AS job_id,
               b.data->>'channel' AS channel, date_trunc('month', b.time AT TIME ZONE 'UTC')::date AS month, (b.data->>'length')::bigint AS length,
               (b.data->>'captured_at')::timestamptz AS captured_at
          FROM unnest(batch) b
         WHERE b.type IN ('OutputCaptured', 'OutputDropped') OFFSET 0) o
     GROUP BY o.stream, o.channel, o.month
    ON CONFLICT (job_id, channel, month) DO UPDATE
       SET chunks = t.chunks + excluded.chunks, bytes = t.bytes + excluded.bytes, dropped = t.dropped + excluded.dropped,
           last_version = excluded.last_version, first_at = least(t.first_at, excluded.first_at),
           last_at = greatest(t.last_at, excluded.last_at);
END
$$;
