-- name: list
-- Users by id. $1: at most, $2: skip, $3: newest first, $4: only members of this company, or NULL.
SELECT u.id, u.enabled, '{}'::jsonb AS settings, u.document->'login' AS login, u.document->'email' AS email,
       u.document->'first_name' AS firstname, u.document->'last_name' AS lastname, u.document->>'language' AS language,
       CASE WHEN (u.document->>'has_password')::boolean THEN '********' END AS password,
       (u.document->>'totp_at')::timestamptz AS second_factor,
       ARRAY(SELECT r.role FROM user_role r WHERE r.user_id = u.id AND (r.until IS NULL OR r.until > now()) ORDER BY 1) AS roles,
       (SELECT max(s.seen_at) FROM user_session s WHERE s.user_id = u.id) AS last_activity_at,
       NULL::timestamptz AS inactive_since, NULL::timestamptz AS deleted_at, NULL::text AS deletion_reason,
       NULL::timestamptz AS anonymized_at, NULL::timestamptz AS retention_until, u.uuid, u.created_at AS "DatCreate",
       u.changed_at AS "DatSave", CASE WHEN u.changed_by ~ '^user:[0-9]+$' THEN substr(u.changed_by, 6)::integer END AS last_modifier_id,
       u.stream_version
  FROM user_account u
 WHERE u.removed_at IS NULL
   AND ($4::integer IS NULL OR EXISTS (
        SELECT FROM membership m
         WHERE m.company_id = $4 AND m.revoked_at IS NULL
           AND (m.user_id = u.id OR m.user_group_id IN (SELECT g.user_group_id FROM user_group_member g WHERE g.user_id = u.id))))
 ORDER BY CASE WHEN $3::boolean THEN -u.id ELSE u.id END LIMIT $1::bigint OFFSET coalesce($2::bigint, 0)

-- name: find
-- One user. $1: id, $2: keyed hash of the login, $3: keyed hash of the address; those that are NULL do not matter.
SELECT u.id, u.enabled, '{}'::jsonb AS settings, u.document->'login' AS login, u.document->'email' AS email,
       u.document->'first_name' AS firstname, u.document->'last_name' AS lastname, u.document->>'language' AS language,
       CASE WHEN (u.document->>'has_password')::boolean THEN '********' END AS password,
       (u.document->>'totp_at')::timestamptz AS second_factor,
       ARRAY(SELECT r.role FROM user_role r WHERE r.user_id = u.id AND (r.until IS NULL OR r.until > now()) ORDER BY 1) AS roles,
       (SELECT max(s.seen_at) FROM user_session s WHERE s.user_id = u.id) AS last_activity_at,
       NULL::timestamptz AS inactive_since, NULL::timestamptz AS deleted_at, NULL::text AS deletion_reason,
       NULL::timestamptz AS anonymized_at, NULL::timestamptz AS retention_until, u.uuid, u.created_at AS "DatCreate",
       u.changed_at AS "DatSave", CASE WHEN u.changed_by ~ '^user:[0-9]+$' THEN substr(u.changed_by, 6)::integer END AS last_modifier_id,
       u.stream_version
  FROM user_account u
 WHERE u.removed_at IS NULL AND ($1::integer IS NULL OR u.id = $1) AND ($2::text IS NULL OR u.login_key = $2)
   AND ($3::text IS NULL OR u.email_key = $3)
 ORDER BY u.id LIMIT 1

-- name: members
-- Who has access to a company, and who had. $1: company, or NULL for all, $2: user, or NULL for all, $3: companies, or NULL.
-- Whoever is in a group that has access is listed with it, by the group.
SELECT m.id, m.company_id, u.id AS user_id, u.document->'login' AS login, u.document->'email' AS email, m.role, m.more, m.less,
       w.until, m.granted_by, m.created_at, m.changed_at, w.until IS NULL OR w.until > now() AS active, m.user_group_id,
       g.name AS user_group
  FROM membership m
  LEFT JOIN user_group g ON g.id = m.user_group_id
 CROSS JOIN LATERAL (
        SELECT m.user_id, m.until WHERE m.user_id IS NOT NULL
         UNION ALL
        SELECT i.user_id, least(m.until, i.until) FROM user_group_member i WHERE i.user_group_id = m.user_group_id) w
  JOIN user_account u ON u.id = w.user_id AND u.removed_at IS NULL
 WHERE m.revoked_at IS NULL AND ($1::integer IS NULL OR m.company_id = $1) AND ($2::integer IS NULL OR u.id = $2)
   AND ($3::integer[] IS NULL OR m.company_id = ANY ($3))
 ORDER BY m.company_id, u.id, m.id

-- name: roles
-- System roles of a user. $1: user.
SELECT r.role, r.until, r.granted_at, r.granted_by, r.until IS NULL OR r.until > now() AS active
  FROM user_role r WHERE r.user_id = $1::integer ORDER BY r.role
