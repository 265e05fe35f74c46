-- name: list
-- Applications by id, without their definitions. $1: at most, $2: skip, $3: newest first.
SELECT a.id, a.name, a.uuid, a.version, a.executable, a.enabled, a.document#>>'{definition,homepage}' AS homepage,
       a.document#>'{definition,description}' AS description, a.document#>>'{definition,image}' AS image,
       a.document#>>'{definition,ociimage}' AS ociimage, a.document#>'{definition,tags}' AS tags,
       a.document#>'{definition,requirements}' AS requirements,
       (a.document->>'max_parallel')::integer AS max_parallel, coalesce((a.document->>'paused')::boolean, false) AS paused,
       a.document#>'{definition,name}' AS names,
       a.created_at AS "DatCreate", a.changed_at AS "DatUpdate", a.stream_version
  FROM application a
 WHERE a.removed_at IS NULL
 ORDER BY CASE WHEN $3::boolean THEN -a.id ELSE a.id END LIMIT $1::bigint OFFSET coalesce($2::bigint, 0)

-- name: find
-- One application with its definition. $1: id, $2: uuid, $3: name; those that are NULL do not matter.
SELECT a.id, a.name, a.uuid, a.version, a.executable, a.enabled, a.document#>>'{definition,homepage}' AS homepage,
       a.document#>'{definition,description}' AS description, a.document#>>'{definition,image}' AS image,
       a.document#>>'{definition,ociimage}' AS ociimage, a.document#>'{definition,tags}' AS tags,
       a.document#>'{definition,requirements}' AS requirements,
       (a.document->>'max_parallel')::integer AS max_parallel, coalesce((a.document->>'paused')::boolean, false) AS paused,
       a.document#>'{definition,name}' AS names,
       a.document->'definition' AS definition, a.document->>'digest' AS digest,
       a.created_at AS "DatCreate", a.changed_at AS "DatUpdate", a.stream_version
  FROM application a
 WHERE a.removed_at IS NULL AND ($1::integer IS NULL OR a.id = $1) AND ($2::text IS NULL OR a.uuid = $2)
   AND ($3::text IS NULL OR a.name = $3)
 ORDER BY a.id LIMIT 1
