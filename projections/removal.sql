-- What was removed for good, when and by which rule: output by month, files and history by the moment before which jobs ended.
-- id: position of the event in the log. days: for how many days it was kept. company_id NULL: of the whole installation.
CREATE TABLE removal (
    id         bigint      PRIMARY KEY,
    company_id integer,
    what       text        NOT NULL,
    month      date,
    before     timestamptz,
    days       integer,
    by_hand    boolean     NOT NULL,
    removed_at timestamptz NOT NULL,
    jobs       bigint,
    things     bigint,
    bytes      bigint
);
CREATE INDEX removal_company ON removal (company_id, what, removed_at);

-- Folds removals into removal. Takes a batch in log order.
CREATE FUNCTION fold_removal(batch event[]) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO removal (id, company_id, what, month, before, days, by_hand, removed_at, jobs, things, bytes)
    SELECT b.position, b.company_id,
           CASE b.type WHEN 'OutputRemoved' THEN 'output' WHEN 'ArtifactsRemoved' THEN 'artifacts'
                WHEN 'ContentsRemoved' THEN 'contents' WHEN 'HistoryRemoved' THEN 'history' ELSE 'month' END,
           (b.data->>'month' || '-01')::date, (b.data->>'before')::timestamptz, (b.data->>'days')::integer,
           coalesce((b.data->>'by_hand')::boolean, false), (b.data->>'removed_at')::timestamptz, (b.data->>'jobs')::bigint,
           coalesce(b.data->>'chunks', b.data->>'files', b.data->>'contents', b.data->>'tasks', b.data->>'events')::bigint,
           (b.data->>'bytes')::bigint
      FROM unnest(batch) b
     WHERE b.type IN ('OutputRemoved', 'ArtifactsRemoved', 'ContentsRemoved', 'HistoryRemoved', 'OutputMonthDropped')
    ON CONFLICT (id) DO NOTHING;
END
$$;
