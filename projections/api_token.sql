-- API tokens as they stand, found by the SHA-256 of what a program sends.
CREATE TABLE api_token (
    id             integer     PRIMARY KEY,
    company_id     integer,
    document       jsonb       NOT NULL,
    user_id        integer     GENERATED ALWAYS AS ((document->>'user_id')::integer) STORED,
    digest         text        GENERATED ALWAYS AS (document->>'digest') STORED,
    created_at     timestamptz NOT NULL,
    changed_at     timestamptz NOT NULL,
    revoked_at     timestamptz,
    stream_version integer     NOT NULL
);
CREATE UNIQUE INDEX api_token_digest_key ON api_token (digest);
CREATE INDEX api_token_user ON api_token (user_id);

-- Folds API tokens. Takes a batch in log order.
CREATE FUNCTION fold_api_token(batch event[]) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO api_token AS t (id, document, created_at, changed_at, revoked_at, stream_version)
    SELECT (b.data->>'api_token_id')::integer, jsonb_object_agg(f.key, f.value ORDER BY b.version), min(b.time), max(b.time),
           max(b.time) FILTER (WHERE b.type = 'TokenRevoked'), max(b.version)
      FROM unnest(batch) b, jsonb_each(b.data) f
     WHERE b.type IN ('TokenCreated', 'TokenChanged', 'TokenRevoked')
     GROUP BY 1
    ON CONFLICT (id) DO UPDATE
       SET document = t.document || excluded.document, changed_at = excluded.changed_at,
           revoked_at = coalesce(excluded.revoked_at, t.revoked_at), stream_version = excluded.stream_version;
END
$$;
