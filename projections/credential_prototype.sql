-- Credential prototypes of the catalogue as they stand. They belong to the installation.
CREATE TABLE credential_prototype (
    id             integer     PRIMARY KEY,
    company_id     integer,
    document       jsonb       NOT NULL,
    uuid           text        GENERATED ALWAYS AS (document->>'uuid') STORED,
    code           text        GENERATED ALWAYS AS (document->>'code') STORED,
    name           text        GENERATED ALWAYS AS (document->>'name') STORED,
    version        text        GENERATED ALWAYS AS (document->>'version') STORED,
    created_at     timestamptz NOT NULL,
    changed_at     timestamptz NOT NULL,
    removed_at     timestamptz,
    stream_version integer     NOT NULL
);
CREATE UNIQUE INDEX credential_prototype_uuid_key ON credential_prototype (uuid) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX credential_prototype_code_key ON credential_prototype (lower(code)) WHERE removed_at IS NULL;

-- Each version that a prototype has had: one document replaces another, none is lost.
CREATE TABLE credential_prototype_version (
    credential_prototype_id integer     NOT NULL,
    stream_version          integer     NOT NULL,
    company_id              integer,
    version                 text        NOT NULL,
    digest                  text        NOT NULL,
    definition              jsonb       NOT NULL,
    member_order            jsonb       NOT NULL,
    dropped                 jsonb       NOT NULL,
    imported_at             timestamptz NOT NULL,
    PRIMARY KEY (credential_prototype_id, stream_version)
);

-- Folds events of credential prototypes. Takes a batch in log order.
CREATE FUNCTION fold_credential_prototype(batch event[]) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    -- UUIDs and codes are given up before any is taken: within a batch, prototypes may have left, or swapped their codes.
    UPDATE credential_prototype t
       SET removed_at = coalesce(g.removed_at, t.removed_at),
           document = CASE WHEN g.renamed THEN t.document - 'code' ELSE t.document END
      FROM (
        SELECT (b.data->>'credential_prototype_id')::integer AS id, bool_or(b.data ? 'code') AS renamed,
               max(b.time) FILTER (WHERE b.type = 'CredentialPrototypeRemoved') AS removed_at
          FROM unnest(batch) b
         WHERE b.type IN ('CredentialPrototypeUpdated', 'CredentialPrototypeRemoved')
         GROUP BY 1) g
     WHERE t.id = g.id;

    INSERT INTO credential_prototype AS t (id, document, created_at, changed_at, removed_at, stream_version)
    SELECT (b.data->>'credential_prototype_id')::integer, jsonb_object_agg(f.key, f.value ORDER BY b.version), min(b.time),
           max(b.time), max(b.time) FILTER (WHERE b.type = 'CredentialPrototypeRemoved'), max(b.version)
      FROM unnest(batch) b, jsonb_each(b.data - 'dropped') f
     WHERE b.type IN ('CredentialPrototypeImported', 'CredentialPrototypeUpdated', 'CredentialPrototypeRemoved')
     GROUP BY 1
    ON CONFLICT (id) DO UPDATE
       SET document = t.document || excluded.document, changed_at = excluded.changed_at,
           removed_at = coalesce(excluded.removed_at, t.removed_at), stream_version = excluded.stream_version;

    INSERT INTO credential_prototype_version (
        credential_prototype_id, stream_version, version, digest, definition, member_order, dropped, imported_at)
    SELECT (b.data->>'credential_prototype_id')::integer, b.version, coalesce(b.data->'definition'->>'version', ''),
           b.data->>'digest', b.data->'definition', coalesce(b.data->'order', '{}'), coalesce(b.data->'dropped', '[]'), b.time
      FROM unnest(batch) b
     WHERE b.type IN ('CredentialPrototypeImported', 'CredentialPrototypeUpdated');
END
$$;
