-- Applications of the catalogue as they stand. They belong to the installation.
CREATE TABLE application (
    id             integer     PRIMARY KEY,
    company_id     integer,
    document       jsonb       NOT NULL,
    uuid           text        GENERATED ALWAYS AS (document->>'uuid') STORED,
    name           text        GENERATED ALWAYS AS (document->>'name') STORED,
    version        text        GENERATED ALWAYS AS (document->>'version') STORED,
    executable     text        GENERATED ALWAYS AS (document->>'executable') STORED,
    enabled        boolean     GENERATED ALWAYS AS ((document->>'enabled')::boolean) STORED,
    words          tsvector    GENERATED ALWAYS AS (words_of_definition(document->'definition')) STORED,
    created_at     timestamptz NOT NULL,
    changed_at     timestamptz NOT NULL,
    removed_at     timestamptz,
    stream_version integer     NOT NULL
);
CREATE UNIQUE INDEX application_uuid_key ON application (uuid) WHERE removed_at IS NULL;
CREATE INDEX application_name ON application (name);
CREATE INDEX application_words ON application USING gin (words);
-- The few that hold jobs back, which every claim looks for.
CREATE INDEX application_limited ON application (id) WHERE document->>'paused' = 'true' OR document->>'max_parallel' IS NOT NULL;

-- The definitions that each application has had, by the version of its stream at which each came.
CREATE TABLE application_version (
    application_id integer     NOT NULL,
    number         integer     NOT NULL,
    company_id     integer,
    version        text        NOT NULL,
    digest         text        NOT NULL,
    definition     jsonb       NOT NULL,
    member_order   jsonb       NOT NULL,
    imported_at    timestamptz NOT NULL,
    PRIMARY KEY (application_id, number)
);

-- The icons of applications, those that have one.
CREATE TABLE application_icon (
    application_id integer     PRIMARY KEY,
    company_id     integer,
    digest         text        NOT NULL,
    media_type     text        NOT NULL,
    content        bytea       NOT NULL,
    changed_at     timestamptz NOT NULL
);

-- Folds events of applications into application. Takes a batch in log order.
CREATE FUNCTION fold_application(batch event[]) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    -- UUIDs are given up before any is taken: within a batch, a definition may have been removed and imported again.
    UPDATE application t SET removed_at = b.time
      FROM unnest(batch) b
     WHERE b.type = 'ApplicationRemoved' AND t.id = (b.data->>'application_id')::integer;

    INSERT INTO application AS t (id, document, created_at, changed_at, removed_at, stream_version)
    SELECT (b.data->>'application_id')::integer, jsonb_object_agg(f.key, f.value ORDER BY b.version), min(b.time), max(b.time),
           max(b.time) FILTER (WHERE b.type = 'ApplicationRemoved'), max(b.version)
      FROM unnest(batch) b, jsonb_each(b.data) f
     WHERE b.type IN ('ApplicationImported', 'ApplicationUpdated', 'ApplicationRemoved')
     GROUP BY 1
    ON CONFLICT (id) DO UPDATE
       SET document = t.document || excluded.document, changed_at = excluded.changed_at,
           removed_at = coalesce(excluded.removed_at, t.removed_at), stream_version = excluded.stream_version;

    -- An event of a change holds only what changed: the rest is that of the version before.
    INSERT INTO application_version (application_id, number, version, digest, definition, member_order, imported_at)
    SELECT (b.data->>'application_id')::integer, b.version,
           coalesce(b.data->>'version', b.data#>>'{definition,version}', ''), coalesce(b.data->>'digest', ''),
           b.data->'definition', coalesce(b.data->'order', '{}'), b.time
      FROM unnest(batch) b
     WHERE b.type IN ('ApplicationImported', 'ApplicationUpdated') AND b.data ? 'definition'
    ON CONFLICT DO NOTHING;

    -- Commands expect the version of the stream, which these events move, too.
    UPDATE application t SET stream_version = greatest(t.stream_version, g.version), changed_at = greatest(t.changed_at, g.time)
      FROM (
        SELECT (b.data->>'application_id')::integer AS id, max(b.version) AS version, max(b.time) AS time
          FROM unnest(batch) b
         WHERE b.type IN ('ApplicationIconChanged', 'ApplicationIconCleared')
         GROUP BY 1) g
     WHERE t.id = g.id;

    -- Of each application, the last that was said of its icon.
    WITH told AS (
        SELECT DISTINCT ON (b.stream) (b.data->>'application_id')::integer AS id, b.type, b.data, b.time
          FROM unnest(batch) b
         WHERE b.type IN ('ApplicationIconChanged', 'ApplicationIconCleared', 'ApplicationRemoved')
         ORDER BY b.stream, b.version DESC
    ), gone AS (
        DELETE FROM application_icon i USING told WHERE i.application_id = told.id AND told.type <> 'ApplicationIconChanged'
    )
    INSERT INTO application_icon AS i (application_id, digest, media_type, content, changed_at)
    SELECT told.id, told.data->>'digest', told.data->>'media_type', decode(told.data->>'content', 'base64'), told.time
      FROM told WHERE told.type = 'ApplicationIconChanged'
    ON CONFLICT (application_id) DO UPDATE
       SET digest = excluded.digest, media_type = excluded.media_type, content = excluded.content,
           changed_at = excluded.changed_at;
END
$$;
