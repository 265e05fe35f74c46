-- name: prototypes
-- Credential prototypes by id. $1: at most, $2: skip, $3: newest first.
SELECT p.id, p.uuid, p.code, p.name, p.version, p.document->'definition'->'name' AS names, p.document->'definition'->'description' AS description,
       p.document->'definition'->>'logo' AS logo, p.document->'definition'->>'url' AS url,
       p.document->'definition'->>'homepage' AS homepage, p.document->'definition'->'tags' AS tags,
       coalesce(jsonb_array_length(p.document->'definition'->'fields'), 0) AS fields,
       (SELECT count(*) FROM credential_type y WHERE y.prototype_id = p.id AND y.removed_at IS NULL) AS types,
       p.created_at, p.changed_at AS updated_at
  FROM credential_prototype p
 WHERE p.removed_at IS NULL
 ORDER BY CASE WHEN $3::boolean THEN -p.id ELSE p.id END LIMIT $1::bigint OFFSET coalesce($2::bigint, 0)

-- name: prototype
-- One credential prototype. $1: id, $2: UUID, $3: code, whatever its case; those that are NULL do not matter.
SELECT p.id, p.uuid, p.code, p.name, p.version, p.document->'definition'->'description' AS description,
       p.document->'definition'->>'logo' AS logo, p.document->'definition'->>'url' AS url,
       p.document->'definition'->>'homepage' AS homepage, p.document->'definition'->'tags' AS tags,
       p.document->'definition' AS definition, coalesce(p.document->'order', '{}') AS member_order, p.document->>'digest' AS digest,
       (SELECT jsonb_agg(jsonb_build_object('version', v.version, 'imported_at', v.imported_at, 'digest', v.digest,
                   'dropped', v.dropped) ORDER BY v.stream_version)
          FROM credential_prototype_version v WHERE v.credential_prototype_id = p.id) AS versions,
       p.created_at, p.changed_at AS updated_at
  FROM credential_prototype p
 WHERE p.removed_at IS NULL AND ($1::integer IS NULL OR p.id = $1) AND ($2::text IS NULL OR p.uuid = $2)
   AND ($3::text IS NULL OR lower(p.code) = lower($3))
 ORDER BY p.id LIMIT 1

-- name: prototype_version
-- The document of a version of a credential prototype, the newest of that number. $1: prototype, $2: version.
SELECT v.definition, v.member_order FROM credential_prototype_version v
 WHERE v.credential_prototype_id = $1::integer AND v.version = $2::text ORDER BY v.stream_version DESC LIMIT 1

-- name: types
-- Credential types by id. $1: company or NULL, $2: at most, $3: skip, $4: newest first.
SELECT y.id, y.name, y.company_id, o.slug AS company_slug, y.prototype_id, p.code AS prototype, p.version, y.uuid,
       p.document->'definition'->>'url' AS url, p.document->'definition'->>'logo' AS logo,
       (SELECT count(*) FROM credential c WHERE c.credential_type_id = y.id AND c.removed_at IS NULL) AS credentials,
       y.created_at AS "DatCreate", y.changed_at AS "DatUpdate"
  FROM credential_type y
  JOIN credential_prototype p ON p.id = y.prototype_id
  LEFT JOIN company o ON o.id = y.company_id
 WHERE y.removed_at IS NULL AND ($1::integer IS NULL OR y.company_id = $1)
 ORDER BY CASE WHEN $4::boolean THEN -y.id ELSE y.id END LIMIT $2::bigint OFFSET coalesce($3::bigint, 0)

-- name: type
-- One credential type with its values as ciphertext. $1: id, $2: UUID; those that are NULL do not matter.
SELECT y.id, y.name, y.company_id, o.slug AS company_slug, y.prototype_id, p.code AS prototype, p.version, y.uuid,
       p.document->'definition'->>'url' AS url, p.document->'definition'->>'logo' AS logo, p.document->'definition' AS definition,
       y.document->'values' AS shared, '{}'::jsonb AS values, (y.document->>'valued_at')::timestamptz AS valued_at,
       (SELECT coalesce(jsonb_agg(c.id ORDER BY c.id), '[]') FROM credential c WHERE c.credential_type_id = y.id AND c.removed_at IS NULL)
           AS credentials,
       y.created_at AS "DatCreate", y.changed_at AS "DatUpdate"
  FROM credential_type y
  JOIN credential_prototype p ON p.id = y.prototype_id
  LEFT JOIN company o ON o.id = y.company_id
 WHERE y.removed_at IS NULL AND ($1::integer IS NULL OR y.id = $1) AND ($2::text IS NULL OR y.uuid = $2)
 ORDER BY y.id LIMIT 1

-- name: credentials
-- Credentials by id, with what is due. $1: company or NULL, $2: type or NULL, $3: run template that they are assigned to or NULL, $4: only
-- those with something due within so many days or NULL, $5: at most, $6: skip, $7: newest first. status: expired, expiring (within 30 days or
-- those asked for), rotate (its values are older than they should get), incomplete (a required field has no value), broken (the newest
-- check failed), ok.
SELECT s.*
  FROM (
    SELECT c.id, c.name, c.company_id, o.slug AS company_slug, c.credential_type_id, y.name AS credential_type, p.code AS prototype,
           CASE WHEN d.expires_at <= now() THEN 'expired'
                WHEN d.rotate_at <= now() THEN 'rotate'
                WHEN m.missing THEN 'incomplete'
                WHEN c.checked->>'outcome' IN ('unavailable', 'misconfigured') THEN 'broken'
                WHEN d.expires_at <= now() + make_interval(days => coalesce($4::integer, 30)) THEN 'expiring'
                WHEN d.rotate_at <= now() + make_interval(days => coalesce($4::integer, 0)) THEN 'rotate'
                ELSE 'ok' END AS status,
           d.expires_at, d.rotate_at, (c.document->>'rotate_every')::integer AS rotate_every,
           coalesce((c.document->>'write_only')::boolean, false) AS write_only, c.checked->>'outcome' AS check_outcome,
           (c.checked->>'checked_at')::timestamptz AS checked_at,
           (SELECT count(*) FROM run_template_credential a WHERE a.credential_id = c.id) AS templates, c.uuid,
           (SELECT a.position FROM run_template_credential a WHERE a.credential_id = c.id AND a.run_template_id = $3::integer) AS position,
           c.created_at AS "DatCreate", c.changed_at AS "DatUpdate"
      FROM credential c
      JOIN credential_type y ON y.id = c.credential_type_id
      JOIN credential_prototype p ON p.id = y.prototype_id
      LEFT JOIN company o ON o.id = c.company_id
     CROSS JOIN LATERAL (
        SELECT (c.document->>'expires_at')::timestamptz AS expires_at,
               coalesce((c.document->>'valued_at')::timestamptz, (y.document->>'valued_at')::timestamptz, c.created_at)
                   + make_interval(days => (c.document->>'rotate_every')::integer) AS rotate_at) d
     CROSS JOIN LATERAL (
        SELECT EXISTS (
            SELECT FROM jsonb_array_elements(coalesce(p.document->'definition'->'fields', '[]')) f
             WHERE lower(f->>'required') IN ('true', '1', 'yes') AND coalesce(f->>'default_value', f->>'default', '') = ''
               AND NOT coalesce(c.document->'values', '{}') ? (f->>'keyword')
               AND NOT coalesce(y.document->'values', '{}') ? (f->>'keyword')) AS missing) m
     WHERE c.removed_at IS NULL AND ($1::integer IS NULL OR c.company_id = $1) AND ($2::integer IS NULL OR c.credential_type_id = $2)) s
 WHERE ($3::integer IS NULL OR s.position IS NOT NULL) AND ($4::integer IS NULL OR s.status <> 'ok')
 ORDER BY s.position, CASE WHEN $7::boolean THEN -s.id ELSE s.id END LIMIT $5::bigint OFFSET coalesce($6::bigint, 0)

-- name: credential
-- One credential with its values as ciphertext and where it is used. $1: id.
SELECT c.id, c.name, c.company_id, o.slug AS company_slug, c.credential_type_id, y.name AS credential_type, p.code AS prototype, c.uuid,
       coalesce((c.document->>'write_only')::boolean, false) AS write_only, (c.document->>'expires_at')::timestamptz AS expires_at,
       (c.document->>'rotate_every')::integer AS rotate_every, (c.document->>'valued_at')::timestamptz AS valued_at, c.checked, c.revealed,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name, 'active', t.active) ORDER BY t.id), '[]')
          FROM run_template_credential a JOIN run_template t ON t.id = a.run_template_id WHERE a.credential_id = c.id) AS used_by,
       p.document->'definition' AS definition, y.document->'values' AS shared, c.document->'values' AS values,
       c.created_at AS "DatCreate", c.changed_at AS "DatUpdate"
  FROM credential c
  JOIN credential_type y ON y.id = c.credential_type_id
  JOIN credential_prototype p ON p.id = y.prototype_id
  LEFT JOIN company o ON o.id = c.company_id
 WHERE c.removed_at IS NULL AND c.id = $1::integer

-- name: offered
-- Credentials of a company that a run template does not have, as credentials_of gives those that it has. $1: company, $2: run template,
-- $3: at most.
SELECT c.id, c.name, p.code AS prototype, p.document->'definition'->'fields' AS fields, y.document->'values' AS shared,
       c.document->'values' AS values
  FROM credential c
  JOIN credential_type y ON y.id = c.credential_type_id
  JOIN credential_prototype p ON p.id = y.prototype_id
 WHERE c.company_id = $1::integer AND c.removed_at IS NULL
   AND NOT EXISTS (SELECT FROM run_template_credential a WHERE a.credential_id = c.id AND a.run_template_id = $2::integer)
 ORDER BY c.name, c.id LIMIT $3::bigint

-- name: keys
-- Keys by owner and age, without what they are. key_name: what they are for; version: 1 is the oldest of an owner that is there.
-- $1: only those of this company or NULL, $2: every single one, or those of credentials and of the installation alone.
SELECT k.id, split_part(k.owner, ':', 1) AS key_name, k.owner, k.company_id,
       row_number() OVER (PARTITION BY k.owner ORDER BY k.id) AS version, 'aes-256-gcm' AS algorithm, k.created_at,
       k.retired_at AS rotated_at, k.retired_at IS NULL AS is_active, k.master_id
  FROM data_keys k
 WHERE ($1::integer IS NULL OR k.company_id = $1) AND ($2::boolean OR k.owner LIKE 'credentials:%')
 ORDER BY split_part(k.owner, ':', 1), k.company_id NULLS FIRST, k.owner, k.id

-- name: key_figures
-- How many keys there are, of each kind, and how many of them are wrapped by which master key.
SELECT split_part(k.owner, ':', 1) AS key_name, count(*) AS keys, count(*) FILTER (WHERE k.retired_at IS NULL) AS active,
       array_agg(DISTINCT k.master_id ORDER BY k.master_id) AS masters
  FROM data_keys k GROUP BY 1 ORDER BY 1

-- name: values_by_key
-- How many stored values are encrypted under a key of credentials that was replaced, and how many there are.
SELECT count(*) AS values, count(*) FILTER (WHERE NOT coalesce(k.retired_at IS NULL, false)) AS outdated,
       count(*) FILTER (WHERE k.id IS NULL) AS lost
  FROM (SELECT (v.value->>'key')::bigint AS key FROM credential c, jsonb_each(c.document->'values') v WHERE c.removed_at IS NULL
        UNION ALL
        SELECT (v.value->>'key')::bigint FROM credential_type y, jsonb_each(y.document->'values') v WHERE y.removed_at IS NULL) u
  LEFT JOIN data_keys k ON k.id = u.key
