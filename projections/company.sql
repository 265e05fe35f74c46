-- Companies as they stand. The columns are derived from the merged data of all events of a company.
CREATE TABLE company (
    id             integer     PRIMARY KEY,
    company_id     integer     GENERATED ALWAYS AS (id) STORED,
    document       jsonb       NOT NULL,
    uuid           text        GENERATED ALWAYS AS (document->>'uuid') STORED,
    name           text        GENERATED ALWAYS AS (document->>'name') STORED,
    slug           text        GENERATED ALWAYS AS (document->>'code') STORED,
    enabled        boolean     GENERATED ALWAYS AS ((document->>'enabled')::boolean) STORED,
    time_zone      text        GENERATED ALWAYS AS (document->>'time_zone') STORED,
    archived       boolean     GENERATED ALWAYS AS (coalesce((document->>'archived')::boolean, false)) STORED,
    words          tsvector    GENERATED ALWAYS AS (words_of((document->>'name') || ' ' || coalesce(document->>'code', '') || ' '
                                   || coalesce(document->>'registration_number', '') || ' '
                                   || coalesce(document->>'vat_number', ''))) STORED,
    created_at     timestamptz NOT NULL,
    changed_at     timestamptz NOT NULL,
    removed_at     timestamptz,
    stream_version integer     NOT NULL
);
-- Whatever its case: codes that differ in case alone would be confused.
CREATE UNIQUE INDEX company_slug_key ON company (lower(slug)) WHERE removed_at IS NULL;
CREATE INDEX company_name ON company (name);
CREATE INDEX company_registration_number ON company ((document->>'registration_number'));
CREATE INDEX company_words ON company USING gin (words);
-- The few that hold jobs back, which every claim looks for.
CREATE INDEX company_limited ON company (id) WHERE document->>'paused' = 'true' OR document->>'max_parallel' IS NOT NULL;

-- Which applications a company has.
CREATE TABLE company_app (
    company_id integer     NOT NULL,
    app_id     integer     NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (company_id, app_id)
);
CREATE INDEX company_app_application ON company_app (app_id);

-- Folds events of companies into company. Takes a batch in log order.
CREATE FUNCTION fold_company(batch event[]) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    -- Codes are given up before any is taken: within a batch, companies may have left, or swapped theirs.
    UPDATE company t
       SET document = CASE WHEN g.renamed THEN t.document - 'code' ELSE t.document END,
           removed_at = coalesce(g.removed_at, t.removed_at)
      FROM (
        SELECT (b.data->>'company_id')::integer AS id, bool_or(b.data ? 'code') AS renamed,
               max(b.time) FILTER (WHERE b.type = 'CompanyRemoved') AS removed_at
          FROM unnest(batch) b
         WHERE b.type = 'CompanyRemoved' OR b.type = 'CompanyChanged' AND b.data ? 'code'
         GROUP BY 1) g
     WHERE t.id = g.id;

    INSERT INTO company AS t (id, document, created_at, changed_at, removed_at, stream_version)
    SELECT (b.data->>'company_id')::integer, jsonb_object_agg(f.key, f.value ORDER BY b.version), min(b.time), max(b.time),
           max(b.time) FILTER (WHERE b.type = 'CompanyRemoved'), max(b.version)
      FROM unnest(batch) b, jsonb_each(b.data) f
     WHERE b.type IN ('CompanyCreated', 'CompanyChanged', 'CompanyRemoved')
     GROUP BY 1
    ON CONFLICT (id) DO UPDATE
       SET document = t.document || excluded.document, changed_at = excluded.changed_at,
           removed_at = coalesce(excluded.removed_at, t.removed_at), stream_version = excluded.stream_version;

    IF EXISTS (SELECT FROM (SELECT (unnest(batch)).type) b
                WHERE b.type IN ('ApplicationAssigned', 'ApplicationUnassigned', 'CompanyRemoved')) THEN
        DELETE FROM company_app a
         USING unnest(batch) b
         WHERE b.type = 'CompanyRemoved' AND a.company_id = (b.data->>'company_id')::integer
            OR b.type = 'ApplicationUnassigned' AND a.company_id = (b.data->>'company_id')::integer
           AND a.app_id = (b.data->>'application_id')::integer;
        INSERT INTO company_app (company_id, app_id, created_at)
        SELECT l.company_id, l.app_id, l.time
          FROM (SELECT DISTINCT ON (1, 2) (b.data->>'company_id')::integer AS company_id,
                       (b.data->>'application_id')::integer AS app_id, b.type, b.time
                  FROM unnest(batch) b
                 WHERE b.type IN ('ApplicationAssigned', 'ApplicationUnassigned')
                 ORDER BY 1, 2, b.version DESC) l
         WHERE l.type = 'ApplicationAssigned'
           AND NOT EXISTS (SELECT FROM unnest(batch) b WHERE b.type = 'CompanyRemoved' AND (b.data->>'company_id')::integer = l.company_id)
        ON CONFLICT (company_id, app_id) DO NOTHING;
        UPDATE company t SET stream_version = v.version, changed_at = greatest(t.changed_at, v.time)
          FROM (SELECT (b.data->>'company_id')::integer AS id, max(b.version) AS version, max(b.time) AS time
                  FROM unnest(batch) b WHERE b.type IN ('ApplicationAssigned', 'ApplicationUnassigned') GROUP BY 1) v
         WHERE t.id = v.id AND t.stream_version < v.version;
    END IF;
END
$$;
