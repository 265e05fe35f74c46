-- name: list
-- Customers by id, what is personal sealed. $1: id or NULL, $2: at most, $3: skip, $4: the last first.
SELECT t.id, t.document->'name' AS name, t.document->'email' AS email, t.document->'phone' AS phone, t.document->'note' AS note, t.uuid,
       ARRAY(SELECT c.id FROM company c WHERE (c.document->>'customer_id')::integer = t.id AND c.removed_at IS NULL ORDER BY c.id) AS companies,
       t.created_at AS "DatCreate", t.changed_at AS "DatSave", t.stream_version
  FROM customer t
 WHERE t.removed_at IS NULL AND ($1::integer IS NULL OR t.id = $1)
 ORDER BY CASE WHEN $4::boolean THEN -t.id ELSE t.id END LIMIT $2::bigint OFFSET coalesce($3::bigint, 0)
