-- name: list
-- Requests for access, newest first. $1: at most, $2: skip, $3: oldest first, $4: only for this company, or NULL, $5: only in this
-- state, or NULL, $6: only this one, or NULL, $7: those for these companies, or NULL for all of them, $8: and those of this user.
SELECT r.id, r.company_id, CASE WHEN $7::integer[] IS NULL OR r.company_id = ANY ($7) THEN c.name END AS company, r.user_id, u.document->'login' AS login, r.role, r.until, r.reason, r.state AS status,
       r.requested_at, r.answer, r.answered_at, r.answered_by, r.stream_version
  FROM access_request r
  LEFT JOIN company c ON c.id = r.company_id
  LEFT JOIN user_account u ON u.id = r.user_id
 WHERE ($4::integer IS NULL OR r.company_id = $4) AND ($5::text IS NULL OR r.state = $5) AND ($6::integer IS NULL OR r.id = $6)
   AND ($7::integer[] IS NULL OR r.company_id = ANY ($7) OR r.user_id = $8::integer)
 ORDER BY CASE WHEN $3::boolean THEN r.id ELSE -r.id END LIMIT $1::bigint OFFSET coalesce($2::bigint, 0)
