-- Groups of users. No company owns them; what they may do in one, a membership tells.
CREATE TABLE user_group (
    id             integer     PRIMARY KEY,
    company_id     integer,
    document       jsonb       NOT NULL,
    name           text        GENERATED ALWAYS AS (document->>'name') STORED,
    created_at     timestamptz NOT NULL,
    changed_at     timestamptz NOT NULL,
    removed_at     timestamptz,
    stream_version integer     NOT NULL
);
CREATE UNIQUE INDEX user_group_name_key ON user_group (lower(name)) WHERE removed_at IS NULL;

-- Who is in a group, and until when.
CREATE TABLE user_group_member (
    user_group_id integer     NOT NULL,
    user_id       integer     NOT NULL,
    company_id    integer,
    until         timestamptz,
    added_at      timestamptz NOT NULL,
    added_by      text,
    PRIMARY KEY (user_group_id, user_id)
);
CREATE INDEX user_group_member_user ON user_group_member (user_id);

-- Folds groups. Takes a batch in log order.
CREATE FUNCTION fold_user_group(batch event[]) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    -- Names are given up before any is taken: within a batch, groups may have gone, or swapped theirs.
    UPDATE user_group t
       SET document = t.document - CASE b.type WHEN 'GroupChanged' THEN 'name' ELSE '' END,
           removed_at = CASE b.type WHEN 'GroupRemoved' THEN b.time ELSE t.removed_at END
      FROM (SELECT DISTINCT ON (1) (b.data->>'user_group_id')::integer AS id, b.type, b.time
              FROM unnest(batch) b WHERE b.type = 'GroupRemoved' OR b.type = 'GroupChanged' AND b.data ? 'name'
             ORDER BY 1, b.version DESC) b
     WHERE t.id = b.id;

    INSERT INTO user_group AS t (id, document, created_at, changed_at, removed_at, stream_version)
    SELECT (b.data->>'user_group_id')::integer, jsonb_object_agg(f.key, f.value ORDER BY b.version), min(b.time), max(b.time),
           max(b.time) FILTER (WHERE b.type = 'GroupRemoved'), max(b.version)
      FROM unnest(batch) b,
           jsonb_each(CASE WHEN b.type IN ('GroupCreated', 'GroupChanged') THEN b.data
                           ELSE jsonb_build_object('user_group_id', b.data->'user_group_id') END) f
     WHERE b.type IN ('GroupCreated', 'GroupChanged', 'GroupRemoved', 'GroupMemberAdded', 'GroupMemberRemoved')
     GROUP BY 1
    ON CONFLICT (id) DO UPDATE
       SET document = t.document || excluded.document, changed_at = excluded.changed_at,
           removed_at = coalesce(excluded.removed_at, t.removed_at), stream_version = excluded.stream_version;

    DELETE FROM user_group_member t USING unnest(batch) b
     WHERE t.user_group_id = (b.data->>'user_group_id')::integer
       AND (b.type = 'GroupRemoved'
            OR b.type IN ('GroupMemberAdded', 'GroupMemberRemoved') AND t.user_id = (b.data->>'user_id')::integer);
    INSERT INTO user_group_member (user_group_id, user_id, until, added_at, added_by)
    SELECT g.user_group_id, g.user_id, g.until, g.time, g.actor
      FROM (SELECT DISTINCT ON (1, 2) (b.data->>'user_group_id')::integer AS user_group_id, (b.data->>'user_id')::integer AS user_id,
                   b.type, (b.data->>'until')::timestamptz AS until, b.time, b.meta->>'actor' AS actor
              FROM unnest(batch) b WHERE b.type IN ('GroupMemberAdded', 'GroupMemberRemoved')
             ORDER BY 1, 2, b.version DESC) g
      JOIN user_group u ON u.id = g.user_group_id AND u.removed_at IS NULL
     WHERE g.type = 'GroupMemberAdded';
END
$$;
