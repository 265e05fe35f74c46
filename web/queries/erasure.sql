-- name: list
-- Requests for the erasure of users, newest first. $1: at most, $2: skip, $3: only of these statuses, or NULL.
SELECT r.id, r.user_id, u.document->'login' AS login, r.deletion_type, r.status, r.requested_by, r.requested_at, r.closed_at
  FROM erasure_request r LEFT JOIN user_account u ON u.id = r.user_id
 WHERE $3::text[] IS NULL OR r.status = ANY ($3)
 ORDER BY r.id DESC LIMIT $1::bigint OFFSET $2::bigint

-- name: statuses
-- How many requests there are of each status.
SELECT r.status, count(*) AS count FROM erasure_request r GROUP BY r.status

-- name: find
-- One request, with the user it is about. $1: id.
SELECT r.id, r.user_id, u.document->'login' AS login, u.document->'first_name' AS first_name, u.document->'last_name' AS last_name,
       u.removed_at IS NOT NULL AS user_removed, r.deletion_type, r.status, r.reason, r.requested_by, r.requested_at, r.notes,
       r.reviewed_by, r.reviewed_at, r.closed_at
  FROM erasure_request r LEFT JOIN user_account u ON u.id = r.user_id
 WHERE r.id = $1::integer

-- name: held
-- What there is of a user. $1: id.
SELECT coalesce((u.document->>'has_password')::boolean, false)::integer + (u.document->>'totp_at' IS NOT NULL)::integer AS secrets,
       (SELECT count(*) FROM user_passkey p WHERE p.user_id = u.id) + (SELECT count(*) FROM user_identity i WHERE i.user_id = u.id) AS keys,
       (SELECT count(*) FROM api_token t WHERE t.user_id = u.id AND t.revoked_at IS NULL) AS tokens,
       (SELECT count(*) FROM user_session s WHERE s.user_id = u.id) AS sessions,
       (SELECT count(*) FROM user_role r WHERE r.user_id = u.id) AS roles,
       (SELECT count(*) FROM membership m WHERE m.user_id = u.id AND m.revoked_at IS NULL) AS memberships,
       (SELECT count(*) FROM user_group_member m WHERE m.user_id = u.id) AS groups,
       (SELECT count(*) FROM access_request a WHERE a.user_id = u.id AND a.state = 'open') AS requests,
       (SELECT count(*) FROM audit_trail a WHERE a.stream = 'user-' || u.id) AS told,
       (SELECT count(*) FROM audit_trail a WHERE a.actor = 'user:' || u.id) AS done
  FROM user_account u WHERE u.id = $1::integer
