-- name: list
-- Servers by id. $1: id or NULL, $2: at most, $3: skip, $4: the last first.
SELECT t.id, t.name, t.url, t.document->>'kind' AS type, t.uuid,
       ARRAY(SELECT c.id FROM company c WHERE (c.document->>'server_id')::integer = t.id AND c.removed_at IS NULL ORDER BY c.id) AS companies,
       t.created_at AS "DatCreate", t.changed_at AS "DatSave", t.stream_version
  FROM server t
 WHERE t.removed_at IS NULL AND ($1::integer IS NULL OR t.id = $1)
 ORDER BY CASE WHEN $4::boolean THEN -t.id ELSE t.id END LIMIT $2::bigint OFFSET coalesce($3::bigint, 0)
