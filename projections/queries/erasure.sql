-- name: list
-- Requests for the erasure of users, newest first. $1: at most, $2: skip, $3: oldest first, $4: only of this status, or NULL, $5: only
-- this one, or NULL, $6: only of this user, or NULL.
SELECT r.id, r.user_id, u.document->'login' AS login, r.deletion_type, r.status, r.requested_by AS requested_by_user_id,
       r.requested_at AS request_date, r.reason, r.reviewed_by AS reviewed_by_user_id, r.reviewed_at AS review_date,
       r.notes AS review_notes, CASE WHEN r.status = 'completed' THEN r.closed_at END AS completed_date,
       'GDPR Article 17' AS legal_basis, 2557 AS retention_period_days, r.requested_at AS "DatCreate", r.changed_at AS "DatSave"
  FROM erasure_request r
  LEFT JOIN user_account u ON u.id = r.user_id
 WHERE ($4::text IS NULL OR r.status = $4) AND ($5::integer IS NULL OR r.id = $5) AND ($6::integer IS NULL OR r.user_id = $6)
 ORDER BY CASE WHEN $3::boolean THEN r.id ELSE -r.id END LIMIT $1::bigint OFFSET coalesce($2::bigint, 0)
