-- Run templates as they stand.
CREATE TABLE run_template (
    id             integer     PRIMARY KEY,
    document       jsonb       NOT NULL,
    company_id     integer     GENERATED ALWAYS AS ((document->>'company_id')::integer) STORED,
    app_id         integer     GENERATED ALWAYS AS ((document->>'application_id')::integer) STORED,
    uuid           text        GENERATED ALWAYS AS (document->>'uuid') STORED,
    name           text        GENERATED ALWAYS AS (document->>'name') STORED,
    interv         text        GENERATED ALWAYS AS (document->>'interval') STORED,
    active         boolean     GENERATED ALWAYS AS ((document->>'active')::boolean) STORED,
    executor       text        GENERATED ALWAYS AS (document->>'executor') STORED,
    words          tsvector    GENERATED ALWAYS AS (words_of(document->>'name')) STORED,
    created_at     timestamptz NOT NULL,
    changed_at     timestamptz NOT NULL,
    removed_at     timestamptz,
    stream_version integer     NOT NULL
) WITH (fillfactor = 85);
CREATE INDEX run_template_company ON run_template (company_id, id);
-- With the company, so that those of an application that a session sees are counted from the index alone.
CREATE INDEX run_template_application ON run_template (app_id, id) INCLUDE (company_id) WHERE removed_at IS NULL;
CREATE INDEX run_template_name ON run_template (name);
CREATE INDEX run_template_words ON run_template USING gin (words);

-- When a template is due next (NULL: never), and what its last job was due at. An event without next_due leaves both alone.
-- template_version: of the template's stream, so that a scheduler who takes the row knows that he goes by its terms as they
-- are. epoch, xid: of the last transaction that changed the row; one that comes before it in the log may not do so any more.
CREATE TABLE due (
    run_template_id  integer     PRIMARY KEY,
    company_id       integer     NOT NULL,
    next_due         timestamptz,
    last_due         timestamptz,
    template_version integer     NOT NULL,
    epoch            smallint    NOT NULL,
    xid              xid8        NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX due_next ON due (next_due, run_template_id) WHERE next_due IS NOT NULL;

-- Folds events of run templates into run_template, and what moves their due time into due. Takes a batch in log order.
-- Raises: serialization_failure when a due time was moved by a transaction that comes later in the log: try again.
CREATE FUNCTION fold_run_template(batch event[]) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    behind integer;
BEGIN
    -- Most jobs that are scheduled are due by no schedule.
    -- An executor that schedules another attempt has no right to touch what follows.
    IF NOT EXISTS (SELECT FROM (SELECT (unnest(batch)).type, (unnest(batch)).data) b
                    WHERE b.type LIKE ANY ('{RunTemplate%,Credential%,Company%,Application%,DueSkipped}')
                       OR b.type = 'JobScheduled' AND b.data ? 'next_due') THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM (SELECT (unnest(batch)).type) b
                WHERE b.type IN ('RunTemplateCreated', 'RunTemplateChanged', 'RunTemplateRemoved', 'CredentialAssigned',
                                 'CredentialUnassigned')) THEN
        INSERT INTO run_template AS t (id, document, created_at, changed_at, removed_at, stream_version)
        SELECT (b.data->>'run_template_id')::integer, jsonb_object_agg(f.key, f.value ORDER BY b.version), min(b.time),
               max(b.time), max(b.time) FILTER (WHERE b.type = 'RunTemplateRemoved'), max(b.version)
          FROM unnest(batch) b, jsonb_each(b.data - '{next_due,credential_id,removed}'::text[]) f
         WHERE b.type IN ('RunTemplateCreated', 'RunTemplateChanged', 'RunTemplateRemoved', 'CredentialAssigned', 'CredentialUnassigned')
           AND NOT (b.type = 'RunTemplateChanged' AND b.data - '{run_template_id,company_id,next_due}'::text[] = '{}')
         GROUP BY 1
        ON CONFLICT (id) DO UPDATE
           SET document = t.document || excluded.document, changed_at = excluded.changed_at,
               removed_at = coalesce(excluded.removed_at, t.removed_at), stream_version = excluded.stream_version;
        -- Most changes by the thousand say when templates are due and nothing else: what is derived from the document stays.
        UPDATE run_template t SET changed_at = d.time, stream_version = d.version
          FROM (SELECT (b.data->>'run_template_id')::integer AS id, max(b.time) AS time, max(b.version) AS version
                  FROM unnest(batch) b
                 WHERE b.type = 'RunTemplateChanged' AND b.data - '{run_template_id,company_id,next_due}'::text[] = '{}'
                 GROUP BY 1 ORDER BY 1) d
         WHERE t.id = d.id AND t.stream_version < d.version;
    END IF;

    -- Whoever makes a template holds the streams of its company and its application, so one of two that meet comes second here.
    -- Commands take the templates away before what they belong to.
    IF EXISTS (SELECT FROM (SELECT (unnest(batch)).type) b
                WHERE b.type IN ('CompanyRemoved', 'ApplicationRemoved', 'ApplicationUnassigned'))
       AND EXISTS (SELECT FROM unnest(batch) b
                     JOIN run_template t ON t.company_id = (b.data->>'company_id')::integer AND b.type = 'CompanyRemoved'
                                         OR t.app_id = (b.data->>'application_id')::integer AND b.type = 'ApplicationRemoved'
                                         OR t.app_id = (b.data->>'application_id')::integer AND b.type = 'ApplicationUnassigned'
                                        AND t.company_id = (b.data->>'company_id')::integer AND t.created_at < b.time
                    WHERE t.removed_at IS NULL) THEN
        RAISE unique_violation USING CONSTRAINT = 'run_template_owner', MESSAGE = 'a run template depends on what is removed';
    END IF;

    WITH found AS MATERIALIZED (
        SELECT (b.data->>'run_template_id')::integer AS id, min(b.company_id) AS company_id, max(b.place) AS newest,
               max(b.place) FILTER (WHERE b.type <> 'RunTemplateRemoved' AND b.data ? 'next_due') AS moved,
               max(b.place) FILTER (WHERE b.type = 'JobScheduled' AND b.data->>'due' IS NOT NULL AND b.data ? 'next_due') AS ran,
               coalesce(max(b.version) FILTER (WHERE b.type NOT IN ('JobScheduled', 'DueSkipped')), 0) AS version
          FROM unnest(batch) WITH ORDINALITY AS b (epoch, xid, position, stream, version, type, company_id, time, data, meta, place)
         WHERE b.type IN ('RunTemplateCreated', 'RunTemplateChanged', 'RunTemplateRemoved', 'CredentialAssigned',
                          'CredentialUnassigned')
            OR b.type IN ('JobScheduled', 'DueSkipped') AND b.data ? 'next_due'
         GROUP BY 1
    ), put AS (
        INSERT INTO due AS t (run_template_id, company_id, next_due, last_due, template_version, epoch, xid)
        SELECT f.id, f.company_id, ((batch[f.moved]).data->>'next_due')::timestamptz, ((batch[f.ran]).data->>'due')::timestamptz,
               f.version, (batch[f.newest]).epoch, (batch[f.newest]).xid
          FROM found f WHERE f.moved IS NOT NULL
         ORDER BY f.id -- appends that meet take their rows in the same order
        ON CONFLICT (run_template_id) DO UPDATE
           SET next_due = excluded.next_due, last_due = coalesce(excluded.last_due, t.last_due),
               template_version = greatest(t.template_version, excluded.template_version),
               epoch = excluded.epoch, xid = excluded.xid
         WHERE (t.epoch, t.xid) <= (excluded.epoch, excluded.xid)
        RETURNING 1
    ), kept AS (
        UPDATE due t SET template_version = f.version, epoch = (batch[f.newest]).epoch, xid = (batch[f.newest]).xid
          FROM found f
         WHERE f.moved IS NULL AND t.run_template_id = f.id
           AND (t.epoch, t.xid) <= ((batch[f.newest]).epoch, (batch[f.newest]).xid)
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM found f LEFT JOIN due d ON d.run_template_id = f.id
             WHERE f.moved IS NOT NULL OR d.run_template_id IS NOT NULL)
           - (SELECT count(*) FROM put) - (SELECT count(*) FROM kept) INTO behind;
    IF behind > 0 THEN
        RAISE serialization_failure USING MESSAGE = 'a due time was moved by a later transaction';
    END IF;

    IF EXISTS (SELECT FROM (SELECT (unnest(batch)).type) b WHERE b.type = 'RunTemplateRemoved') THEN
        DELETE FROM due t USING unnest(batch) b
         WHERE b.type = 'RunTemplateRemoved' AND t.run_template_id = (b.data->>'run_template_id')::integer;
    END IF;
END
$$;
