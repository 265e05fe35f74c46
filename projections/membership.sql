-- What users and groups of users may do in companies. One row for each of them and company, also after it was revoked.
CREATE TABLE membership (
    id             integer     PRIMARY KEY,
    company_id     integer     NOT NULL,
    user_id        integer,
    user_group_id  integer,
    role           text        NOT NULL,
    until          timestamptz,
    more           text[]      NOT NULL,
    less           text[]      NOT NULL,
    created_at     timestamptz NOT NULL,
    changed_at     timestamptz NOT NULL,
    granted_by     text,
    revoked_at     timestamptz,
    stream_version integer     NOT NULL
);
CREATE UNIQUE INDEX membership_user_company_key ON membership (user_id, company_id);
CREATE UNIQUE INDEX membership_group_company_key ON membership (user_group_id, company_id);
CREATE INDEX membership_company ON membership (company_id);

-- Folds memberships. Takes a batch in log order.
CREATE FUNCTION fold_membership(batch event[]) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO membership AS t (id, company_id, user_id, user_group_id, role, until, more, less, created_at, changed_at, granted_by, stream_version)
    SELECT DISTINCT ON (1) (b.data->>'membership_id')::integer, (b.data->>'company_id')::integer, (b.data->>'user_id')::integer,
           (b.data->>'user_group_id')::integer, b.data->>'role', (b.data->>'until')::timestamptz, ARRAY(SELECT jsonb_array_elements_text(b.data->'more')),
           ARRAY(SELECT jsonb_array_elements_text(b.data->'less')), min(b.time) OVER (PARTITION BY b.stream), b.time,
           b.meta->>'actor', b.version
      FROM unnest(batch) b
     WHERE b.type = 'MembershipGranted'
     ORDER BY 1, b.version DESC
    ON CONFLICT (id) DO UPDATE
       SET role = excluded.role, until = excluded.until, more = excluded.more, less = excluded.less,
           changed_at = excluded.changed_at, granted_by = excluded.granted_by, revoked_at = NULL,
           stream_version = excluded.stream_version;

    -- Those that were revoked last.
    UPDATE membership t SET revoked_at = g.time, changed_at = g.time, stream_version = g.version
      FROM (SELECT DISTINCT ON (1) (b.data->>'membership_id')::integer AS id, b.type, b.time, b.version
              FROM unnest(batch) b WHERE b.type IN ('MembershipGranted', 'MembershipRevoked')
             ORDER BY 1, b.version DESC) g
     WHERE t.id = g.id AND g.type = 'MembershipRevoked';
END
$$;
