-- name: list
-- Groups of users by id. $1: at most, $2: skip, $3: newest first, $4: only those that this user is in, or NULL.
SELECT g.id, g.name, g.document->>'description' AS description,
       (SELECT count(*) FROM user_group_member m WHERE m.user_group_id = g.id)::integer AS members,
       (SELECT count(*) FROM membership m WHERE m.user_group_id = g.id AND m.revoked_at IS NULL)::integer AS companies,
       g.created_at, g.changed_at, g.stream_version
  FROM user_group g
 WHERE g.removed_at IS NULL
   AND ($4::integer IS NULL OR EXISTS (SELECT FROM user_group_member m WHERE m.user_group_id = g.id AND m.user_id = $4))
 ORDER BY CASE WHEN $3::boolean THEN -g.id ELSE g.id END LIMIT $1::bigint OFFSET coalesce($2::bigint, 0)

-- name: find
-- One group of users. $1: id or NULL, $2: name or NULL, whatever its case.
SELECT g.id, g.name, g.document->>'description' AS description, g.created_at, g.changed_at, g.stream_version
  FROM user_group g
 WHERE g.removed_at IS NULL AND ($1::integer IS NULL OR g.id = $1) AND ($2::text IS NULL OR lower(g.name) = lower($2))
 ORDER BY g.id LIMIT 1

-- name: members
-- Who is in a group. $1: group.
SELECT m.user_id, u.document->'login' AS login, u.document->'email' AS email, m.until, m.added_at, m.added_by,
       m.until IS NULL OR m.until > now() AS active
  FROM user_group_member m JOIN user_account u ON u.id = m.user_id
 WHERE m.user_group_id = $1::integer ORDER BY m.user_id

-- name: access
-- What a group may do in companies. $1: group.
SELECT m.company_id, m.role, m.more, m.less, m.until, m.granted_by, m.until IS NULL OR m.until > now() AS active
  FROM membership m
 WHERE m.user_group_id = $1::integer AND m.revoked_at IS NULL ORDER BY m.company_id
