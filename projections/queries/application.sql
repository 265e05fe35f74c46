-- name: list
-- Applications by id, without their definitions. $1: at most, $2: skip, $3: newest first, $4: words of name, description, tags and
-- more, or NULL, $5: a tag or topic, whatever its case, or NULL, $6: company that has them, or NULL.
SELECT a.id, a.name, a.uuid, a.version, a.executable, a.enabled, a.document#>>'{definition,homepage}' AS homepage,
       a.document#>'{definition,description}' AS description, a.document#>>'{definition,image}' AS image,
       a.document#>>'{definition,ociimage}' AS ociimage, a.document#>'{definition,tags}' AS tags,
       a.document#>'{definition,requirements}' AS requirements,
       (a.document->>'max_parallel')::integer AS max_parallel, coalesce((a.document->>'paused')::boolean, false) AS paused,
       a.document#>'{definition,name}' AS names,
       a.created_at AS "DatCreate", a.changed_at AS "DatUpdate", a.stream_version
  FROM application a
 WHERE a.removed_at IS NULL AND ($4::text IS NULL OR a.words @@ search_of($4))
   AND ($5::text IS NULL OR EXISTS (
       SELECT FROM unnest(ARRAY['tags', 'topics', 'requirements', 'category']) k,
                   jsonb_path_query(a.document->'definition'->k, '$[*]') w, regexp_split_to_table(w #>> '{}', '\s*,\s*') one
        WHERE lower(one) = lower(btrim($5))))
   AND ($6::integer IS NULL OR EXISTS (SELECT FROM company_app x WHERE x.app_id = a.id AND x.company_id = $6))
 ORDER BY CASE WHEN $3::boolean THEN -a.id ELSE a.id END LIMIT $1::bigint OFFSET coalesce($2::bigint, 0)

-- name: find
-- Applications with their definitions by id, UUID or name, as many as are needed to tell that there are several.
-- $1: id, $2: uuid, $3: name; those that are NULL do not matter.
SELECT a.id, a.name, a.uuid, a.version, a.executable, a.enabled, a.document#>>'{definition,homepage}' AS homepage,
       a.document#>'{definition,description}' AS description, a.document#>>'{definition,image}' AS image,
       a.document#>>'{definition,ociimage}' AS ociimage, a.document#>'{definition,tags}' AS tags,
       a.document#>'{definition,requirements}' AS requirements,
       (a.document->>'max_parallel')::integer AS max_parallel, coalesce((a.document->>'paused')::boolean, false) AS paused,
       a.document#>'{definition,name}' AS names,
       a.document->'definition' AS definition, coalesce(a.document->'order', '{}') AS member_order, a.document->>'digest' AS digest,
       a.created_at AS "DatCreate", a.changed_at AS "DatUpdate", a.stream_version
  FROM application a
 WHERE a.removed_at IS NULL AND ($1::integer IS NULL OR a.id = $1) AND ($2::text IS NULL OR a.uuid = $2)
   AND ($3::text IS NULL OR a.name = $3)
 ORDER BY a.id LIMIT 11

-- name: icons
-- Digests of the icons of applications. $1: ids.
SELECT i.application_id AS id, i.digest FROM application_icon i WHERE i.application_id = ANY($1::integer[])

-- name: icon
-- The icon of an application. $1: id.
SELECT i.digest, i.media_type, i.content FROM application_icon i WHERE i.application_id = $1::integer

-- name: versions
-- The definitions that an application has had, newest first. $1: id.
SELECT v.number, v.version, v.digest, v.imported_at, v.digest = a.document->>'digest' AS current
  FROM application_version v JOIN application a ON a.id = v.application_id
 WHERE v.application_id = $1::integer
 ORDER BY v.number DESC

-- name: version
-- One definition that an application has had: the newest with that version, or the one of that number. $1: id, $2: version or number.
SELECT v.number, v.version, v.definition, v.member_order, v.digest
  FROM application_version v
 WHERE v.application_id = $1::integer AND (v.version = $2::text OR v.number::text = $2)
 ORDER BY v.version = $2 DESC, v.number DESC LIMIT 1

-- name: definition
-- One definition that an application has had, by its number. $1: id, $2: number.
SELECT v.definition, v.member_order FROM application_version v WHERE v.application_id = $1::integer AND v.number = $2::integer

-- name: users
-- The run templates of an application with what they set. $1: id.
SELECT t.id, t.name, t.company_id, c.name AS company_name, t.active, t.document->'environment' AS environment
  FROM run_template t JOIN company c ON c.id = t.company_id
 WHERE t.app_id = $1::integer AND t.removed_at IS NULL
 ORDER BY t.id

-- name: of_companies
-- Which applications companies have, with the codes of the credentials that each company has. $1: company or NULL, $2: application or
-- NULL, $3: at most, $4: skip, $5: highest company first.
SELECT x.company_id, c.slug AS company_slug, c.name AS company_name, x.app_id, a.name AS app_name, a.uuid AS app_uuid, a.version,
       (SELECT count(*) FROM run_template t WHERE t.company_id = x.company_id AND t.app_id = x.app_id AND t.removed_at IS NULL)
           AS run_templates,
       a.document#>'{definition,requirements}' AS requirements,
       (SELECT coalesce(jsonb_agg(DISTINCT p.code), '[]')
          FROM credential_type y JOIN credential_prototype p ON p.id = y.prototype_id
          JOIN credential d ON d.credential_type_id = y.id AND d.removed_at IS NULL
         WHERE y.company_id = x.company_id AND y.removed_at IS NULL) AS offered,
       x.created_at AS "DatCreate"
  FROM company_app x
  JOIN company c ON c.id = x.company_id
  JOIN application a ON a.id = x.app_id AND a.removed_at IS NULL
 WHERE ($1::integer IS NULL OR x.company_id = $1) AND ($2::integer IS NULL OR x.app_id = $2)
 ORDER BY CASE WHEN $5::boolean THEN -x.company_id ELSE x.company_id END, x.app_id
 LIMIT $3::bigint OFFSET coalesce($4::bigint, 0)

-- name: tags
-- Tags and topics of the catalogue, those of most applications first.
SELECT min(one) AS tag, count(DISTINCT a.id) AS applications
  FROM application a, unnest(ARRAY['tags', 'topics']) k, jsonb_path_query(a.document->'definition'->k, '$[*]') w,
       regexp_split_to_table(w #>> '{}', '\s*,\s*') one
 WHERE a.removed_at IS NULL AND one <> ''
 GROUP BY lower(one) ORDER BY count(DISTINCT a.id) DESC, 1 LIMIT 30
