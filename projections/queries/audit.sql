-- name: list
-- The audit trail, newest first. $1: company, $2: stream, $3: actor, $4: position below, $5: at most; NULL does not matter.
SELECT t.epoch, t.xid, t.position, t.time, t.company_id, t.stream, t.version, t.type, t.actor, t.source, t.correlation, t.changes
  FROM audit_trail t
 WHERE ($1::integer IS NULL OR t.company_id = $1) AND ($2::text IS NULL OR t.stream = $2) AND ($3::text IS NULL OR t.actor = $3)
   AND ($4::bigint IS NULL OR t.position < $4)
 ORDER BY t.epoch DESC, t.xid DESC, t.position DESC LIMIT $5::integer
