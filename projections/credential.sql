-- Credential types of companies as they stand; values are ciphertext.
CREATE TABLE credential_type (
    id             integer     PRIMARY KEY,
    document       jsonb       NOT NULL,
    company_id     integer     GENERATED ALWAYS AS ((document->>'company_id')::integer) STORED,
    prototype_id   integer     GENERATED ALWAYS AS ((document->>'credential_prototype_id')::integer) STORED,
    uuid           text        GENERATED ALWAYS AS (document->>'uuid') STORED,
    name           text        GENERATED ALWAYS AS (document->>'name') STORED,
    created_at     timestamptz NOT NULL,
    changed_at     timestamptz NOT NULL,
    removed_at     timestamptz,
    stream_version integer     NOT NULL
);
CREATE INDEX credential_type_company ON credential_type (company_id);
CREATE INDEX credential_type_prototype ON credential_type (prototype_id);

-- Credentials as they stand; values are ciphertext. checked and revealed are the newest of their kind.
CREATE TABLE credential (
    id                 integer     PRIMARY KEY,
    document           jsonb       NOT NULL,
    checked            jsonb,
    revealed           jsonb,
    company_id         integer     GENERATED ALWAYS AS ((document->>'company_id')::integer) STORED,
    credential_type_id integer     GENERATED ALWAYS AS ((document->>'credential_type_id')::integer) STORED,
    uuid               text        GENERATED ALWAYS AS (document->>'uuid') STORED,
    name               text        GENERATED ALWAYS AS (document->>'name') STORED,
    created_at         timestamptz NOT NULL,
    changed_at         timestamptz,
    removed_at         timestamptz,
    stream_version     integer     NOT NULL
);
CREATE INDEX credential_company ON credential (company_id);
CREATE INDEX credential_of_type ON credential (credential_type_id);

-- Which credentials the jobs of a run template get. position: version of the template's stream at which it was assigned; of
-- two credentials with the same field the one assigned later counts.
CREATE TABLE run_template_credential (
    run_template_id integer     NOT NULL,
    credential_id   integer     NOT NULL,
    company_id      integer     NOT NULL,
    position        integer     NOT NULL,
    assigned_at     timestamptz NOT NULL,
    PRIMARY KEY (run_template_id, credential_id)
);
CREATE INDEX run_template_credential_used ON run_template_credential (credential_id);

-- Folds events of credential types into credential_type. Takes a batch in log order.
CREATE FUNCTION fold_credential_type(batch event[]) RETURNS void LANGUAGE sql AS $$
    INSERT INTO credential_type AS t (id, document, created_at, changed_at, removed_at, stream_version)
    SELECT (b.data->>'credential_type_id')::integer, jsonb_object_agg(f.key, f.value ORDER BY b.version), min(b.time), max(b.time),
           max(b.time) FILTER (WHERE b.type = 'CredentialTypeRemoved'), max(b.version)
      FROM unnest(batch) b, jsonb_each(b.data - 'changed') f
     WHERE b.type IN ('CredentialTypeCreated', 'CredentialTypeChanged', 'CredentialTypeReencrypted', 'CredentialTypeRemoved')
     GROUP BY 1
    ON CONFLICT (id) DO UPDATE
       SET document = t.document || excluded.document, changed_at = excluded.changed_at,
           removed_at = coalesce(excluded.removed_at, t.removed_at), stream_version = excluded.stream_version;
$$;

-- Folds events of credentials and of their assignment. Takes a batch in log order.
CREATE FUNCTION fold_credential(batch event[]) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM fold_credential_type(batch);

    INSERT INTO credential AS t (id, document, checked, revealed, created_at, changed_at, removed_at, stream_version)
    SELECT (b.data->>'credential_id')::integer, jsonb_object_agg(f.key, f.value ORDER BY b.version),
           (array_agg(b.data - '{credential_id,company_id}'::text[] ORDER BY b.version DESC)
               FILTER (WHERE b.type = 'CredentialChecked'))[1],
           (array_agg(b.data - '{credential_id,company_id}'::text[] ORDER BY b.version DESC)
               FILTER (WHERE b.type = 'CredentialRevealed'))[1],
           min(b.time), max(b.time) FILTER (WHERE b.type NOT IN ('CredentialChecked', 'CredentialRevealed')),
           max(b.time) FILTER (WHERE b.type = 'CredentialRemoved'), max(b.version)
      FROM unnest(batch) b,
           jsonb_each(CASE WHEN b.type IN ('CredentialChecked', 'CredentialRevealed')
                           THEN jsonb_build_object('credential_id', b.data->'credential_id', 'company_id', b.data->'company_id')
                           ELSE b.data - 'changed' END) f
     WHERE b.type IN ('CredentialCreated', 'CredentialChanged', 'CredentialReencrypted', 'CredentialRevealed', 'CredentialChecked',
                      'CredentialRemoved')
     GROUP BY 1
    ON CONFLICT (id) DO UPDATE
       SET document = t.document || excluded.document, checked = coalesce(excluded.checked, t.checked),
           revealed = coalesce(excluded.revealed, t.revealed), changed_at = coalesce(excluded.changed_at, t.changed_at),
           removed_at = coalesce(excluded.removed_at, t.removed_at), stream_version = excluded.stream_version;

    -- Of each pair the newest event decides; a template or a credential that is gone takes all of its pairs with it.
    IF NOT EXISTS (SELECT FROM (SELECT (unnest(batch)).type) b
                    WHERE b.type IN ('CredentialAssigned', 'CredentialUnassigned', 'RunTemplateRemoved', 'CredentialRemoved')) THEN
        RETURN;
    END IF;
    DELETE FROM run_template_credential t
     WHERE t.run_template_id = ANY (ARRAY(
        SELECT (b.data->>'run_template_id')::integer FROM unnest(batch) b WHERE b.type = 'RunTemplateRemoved'));
    DELETE FROM run_template_credential t
     WHERE t.credential_id = ANY (ARRAY(
        SELECT (b.data->>'credential_id')::integer FROM unnest(batch) b WHERE b.type = 'CredentialRemoved'));
    DELETE FROM run_template_credential t
     USING (SELECT DISTINCT (b.data->>'run_template_id')::integer AS run_template_id, (b.data->>'credential_id')::integer AS credential_id
              FROM unnest(batch) b WHERE b.type IN ('CredentialAssigned', 'CredentialUnassigned')) p
     WHERE t.run_template_id = p.run_template_id AND t.credential_id = p.credential_id;
    INSERT INTO run_template_credential (run_template_id, credential_id, company_id, position, assigned_at)
    SELECT n.run_template_id, n.credential_id, n.company_id, n.version, n.time
      FROM (
        SELECT DISTINCT ON (1, 2) (b.data->>'run_template_id')::integer AS run_template_id,
               (b.data->>'credential_id')::integer AS credential_id, b.company_id, b.version, b.time, b.type
          FROM unnest(batch) b
         WHERE b.type IN ('CredentialAssigned', 'CredentialUnassigned')
         ORDER BY 1, 2, b.version DESC) n
     WHERE n.type = 'CredentialAssigned' AND NOT EXISTS (
        SELECT FROM unnest(batch) r
         WHERE r.type = 'RunTemplateRemoved' AND (r.data->>'run_template_id')::integer = n.run_template_id
            OR r.type = 'CredentialRemoved' AND (r.data->>'credential_id')::integer = n.credential_id);
END
$$;
