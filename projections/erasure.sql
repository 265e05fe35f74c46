-- Requests for the erasure of users. Reasons and notes are ciphertext under a key of the request.
CREATE TABLE erasure_request (
    id             integer     PRIMARY KEY,
    company_id     integer,
    user_id        integer     NOT NULL,
    deletion_type  text,
    status         text,
    reason         jsonb,
    requested_by   integer,
    requested_at   timestamptz,
    notes          jsonb,
    reviewed_by    integer,
    reviewed_at    timestamptz,
    closed_at      timestamptz,
    forgotten_at   timestamptz,
    changed_at     timestamptz NOT NULL,
    stream_version integer     NOT NULL
);
CREATE UNIQUE INDEX erasure_open_key ON erasure_request (user_id) WHERE status IN ('pending', 'approved', 'processing');

-- Folds requests for erasure. Takes a batch in log order.
CREATE FUNCTION fold_erasure(batch event[]) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO erasure_request AS t (id, user_id, deletion_type, status, reason, requested_by, requested_at, notes, reviewed_by,
                                      reviewed_at, closed_at, forgotten_at, changed_at, stream_version)
    SELECT g.id, g.user_id, r.data->>'deletion_type', g.status, nullif(r.data->'reason', 'null'), (r.data->>'requested_by')::integer,
           r.time, nullif(d.data->'notes', 'null'), (d.data->>'reviewed_by')::integer, d.time, g.closed_at, g.forgotten_at,
           g.changed_at, g.version
      FROM (SELECT (b.data->>'erasure_id')::integer AS id, max((b.data->>'user_id')::integer) AS user_id, max(b.time) AS changed_at,
                   max(b.version) AS version,
                   (array_agg(CASE b.type WHEN 'ErasureRequested' THEN 'pending' WHEN 'ErasureWithdrawn' THEN 'withdrawn'
                                          WHEN 'ErasureApproved' THEN 'approved' WHEN 'ErasureRejected' THEN 'rejected'
                                          WHEN 'ErasureStarted' THEN 'processing' ELSE 'completed' END ORDER BY b.version DESC)
                       FILTER (WHERE b.type <> 'ErasureForgotten'))[1] AS status,
                   max(b.time) FILTER (WHERE b.type IN ('ErasureWithdrawn', 'ErasureRejected', 'ErasureCompleted')) AS closed_at,
                   max(b.time) FILTER (WHERE b.type = 'ErasureForgotten') AS forgotten_at
              FROM unnest(batch) b
             WHERE b.type IN ('ErasureRequested', 'ErasureWithdrawn', 'ErasureApproved', 'ErasureRejected', 'ErasureStarted',
                              'ErasureCompleted', 'ErasureForgotten')
             GROUP BY 1) g
      LEFT JOIN unnest(batch) r ON r.type = 'ErasureRequested' AND (r.data->>'erasure_id')::integer = g.id
      LEFT JOIN unnest(batch) d ON d.type IN ('ErasureApproved', 'ErasureRejected') AND (d.data->>'erasure_id')::integer = g.id
     ORDER BY g.id
    ON CONFLICT (id) DO UPDATE
       SET status = coalesce(excluded.status, t.status), notes = coalesce(excluded.notes, t.notes),
           reviewed_by = coalesce(excluded.reviewed_by, t.reviewed_by), reviewed_at = coalesce(excluded.reviewed_at, t.reviewed_at),
           closed_at = coalesce(excluded.closed_at, t.closed_at), forgotten_at = coalesce(excluded.forgotten_at, t.forgotten_at),
           changed_at = excluded.changed_at, stream_version = excluded.stream_version;
END
$$;
