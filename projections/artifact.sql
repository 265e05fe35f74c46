-- The files that jobs left; their contents are in artifact_content, by company and digest.
-- id: job_id * 1000 + number, the same in every rebuild; number: 1-based place among the files of the job. size: bytes.
CREATE TABLE artifact (
    id           bigint      PRIMARY KEY,
    job_id       integer     NOT NULL,
    company_id   integer     NOT NULL,
    number       integer     NOT NULL,
    filename     text        NOT NULL,
    content_type text        NOT NULL,
    size         bigint      NOT NULL,
    digest       text        NOT NULL,
    created_at   timestamptz NOT NULL
);
CREATE INDEX artifact_job ON artifact (job_id, number);
CREATE INDEX artifact_company ON artifact (company_id, digest);

-- Folds the ends of jobs into artifact. Takes a batch in log order.
CREATE FUNCTION fold_artifact(batch event[]) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    removal record;
    part integer := 1;
BEGIN
    -- What ends after a removal in the same batch is not removed by it: the batch is folded in parts.
    IF EXISTS (SELECT FROM (SELECT (unnest(batch)).type) b WHERE b.type = 'HistoryRemoved') THEN
        FOR removal IN
            SELECT b.place::integer, b.company_id, (b.data->>'before')::timestamptz AS before
              FROM unnest(batch) WITH ORDINALITY
                       AS b (epoch, xid, position, stream, version, type, company_id, time, data, meta, place)
             WHERE b.type = 'HistoryRemoved' ORDER BY b.place
        LOOP
            PERFORM fold_artifact(batch[part:removal.place - 1]);
            DELETE FROM artifact t WHERE t.company_id = removal.company_id AND t.created_at < removal.before;
            part := removal.place + 1;
        END LOOP;
        PERFORM fold_artifact(batch[part:]);
        RETURN;
    END IF;
    INSERT INTO artifact (id, job_id, company_id, number, filename, content_type, size, digest, created_at)
    SELECT (b.data->>'job_id')::bigint * 1000 + a.number, (b.data->>'job_id')::integer, b.company_id, a.number, a.entry->>'name',
           a.entry->>'content_type', (a.entry->>'size')::bigint, a.entry->>'digest', (b.data->>'finished_at')::timestamptz
      FROM unnest(batch) b
     CROSS JOIN LATERAL jsonb_array_elements(b.data->'artifacts') WITH ORDINALITY AS a (entry, number)
     WHERE b.type = 'JobFinished' AND b.data->'artifacts' <> '[]'
    ON CONFLICT (id) DO NOTHING;
END
$$;
