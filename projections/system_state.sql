-- Whether the installation as a whole is paused.
CREATE TABLE system_state (
    id             integer     PRIMARY KEY,
    company_id     integer,
    paused         boolean     NOT NULL,
    changed_at     timestamptz NOT NULL,
    reason         text,
    stream_version integer     NOT NULL
);

-- Folds pauses of the installation into system_state. Takes a batch in log order.
CREATE FUNCTION fold_system_state(batch event[]) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO system_state AS t (id, paused, changed_at, reason, stream_version)
    SELECT DISTINCT ON ((b.data->>'system_id')::integer) (b.data->>'system_id')::integer, b.type = 'SystemPaused', b.time,
           b.data->>'reason', b.version
      FROM unnest(batch) b
     WHERE b.type IN ('SystemPaused', 'SystemResumed')
     ORDER BY (b.data->>'system_id')::integer, b.version DESC
    ON CONFLICT (id) DO UPDATE
       SET paused = excluded.paused, changed_at = excluded.changed_at, reason = excluded.reason,
           stream_version = excluded.stream_version;
END
$$;
