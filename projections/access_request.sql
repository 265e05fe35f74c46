-- Requests for access to companies, each of the company that it asks for. Reasons are ciphertext.
CREATE TABLE access_request (
    id             integer     PRIMARY KEY,
    company_id     integer     NOT NULL,
    user_id        integer     NOT NULL,
    role           text        NOT NULL,
    until          timestamptz,
    reason         jsonb,
    state          text        NOT NULL,
    requested_at   timestamptz NOT NULL,
    answer         jsonb,
    answered_at    timestamptz,
    answered_by    text,
    stream_version integer     NOT NULL
);
CREATE UNIQUE INDEX access_request_open_key ON access_request (user_id, company_id) WHERE state = 'open';
CREATE INDEX access_request_company ON access_request (company_id);

-- Folds requests for access. Takes a batch in log order.
CREATE FUNCTION fold_access_request(batch event[]) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    -- Answers to what was asked before this batch go first, so that who was answered may ask anew in the same batch.
    UPDATE access_request t
       SET state = CASE b.type WHEN 'RequestApproved' THEN 'approved' WHEN 'RequestRefused' THEN 'refused' ELSE 'withdrawn' END,
           until = CASE b.type WHEN 'RequestApproved' THEN (b.data->>'until')::timestamptz ELSE t.until END,
           answer = nullif(b.data->'reason', 'null'), answered_at = b.time, answered_by = b.meta->>'actor',
           stream_version = b.version
      FROM unnest(batch) b
     WHERE b.type IN ('RequestWithdrawn', 'RequestApproved', 'RequestRefused') AND t.id = (b.data->>'access_request_id')::integer;

    INSERT INTO access_request (id, company_id, user_id, role, until, reason, state, requested_at, answer, answered_at, answered_by,
                                stream_version)
    SELECT (r.data->>'access_request_id')::integer, r.company_id, (r.data->>'user_id')::integer, r.data->>'role',
           CASE a.type WHEN 'RequestApproved' THEN (a.data->>'until')::timestamptz ELSE (r.data->>'until')::timestamptz END,
           nullif(r.data->'reason', 'null'),
           CASE a.type WHEN 'RequestApproved' THEN 'approved' WHEN 'RequestRefused' THEN 'refused'
                       WHEN 'RequestWithdrawn' THEN 'withdrawn' ELSE 'open' END,
           r.time, nullif(a.data->'reason', 'null'), a.time, a.meta->>'actor', coalesce(a.version, r.version)
      FROM unnest(batch) r
      LEFT JOIN unnest(batch) a ON a.stream = r.stream AND a.type IN ('RequestWithdrawn', 'RequestApproved', 'RequestRefused')
     WHERE r.type = 'AccessRequested';
END
$$;
