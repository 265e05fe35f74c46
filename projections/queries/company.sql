-- name: list
-- Companies by id. $1: the id that the page before ended with, or NULL, $2: at most, $3: skip, $4: newest first, $5: words of the
-- name, the code, IČO or DIČ, or NULL, $6: archived ones too.
SELECT c.id, c.name, c.slug, c.enabled, c.document->>'registration_number' AS ic, c.document->>'vat_number' AS dic,
       c.document->'email' AS email, c.document->>'logo' AS logo, (c.document->>'customer_id')::integer AS customer,
       (c.document->>'server_id')::integer AS server, c.document->>'zabbix_host' AS zabbix_host,
       c.document->'settings' AS settings, (c.document->>'max_parallel')::integer AS max_parallel,
       (c.document->>'keep_output')::integer AS keep_output, (c.document->>'keep_artifacts')::integer AS keep_artifacts,
       (c.document->>'keep_history')::integer AS keep_history,
       coalesce((c.document->>'paused')::boolean, false) AS paused, c.archived, c.time_zone, c.uuid, c.created_at AS "DatCreate",
       c.changed_at AS "DatUpdate", c.stream_version
  FROM company_page($5::text, coalesce($6::boolean, false), $1::integer, $4::boolean, $2::bigint, $3::bigint)
       WITH ORDINALITY AS p (id, place)
  JOIN company c ON c.id = p.id
 ORDER BY p.place

-- name: find
-- Companies by id, slug (whatever its case), name or IČO, as many as are needed to tell that there are several.
-- $1: id, $2: slug, $3: name, $4: IČO; those that are NULL do not matter.
SELECT c.id, c.name, c.slug, c.enabled, c.document->>'registration_number' AS ic, c.document->>'vat_number' AS dic,
       c.document->'email' AS email, c.document->>'logo' AS logo, (c.document->>'customer_id')::integer AS customer,
       (c.document->>'server_id')::integer AS server, c.document->>'zabbix_host' AS zabbix_host,
       c.document->'settings' AS settings, (c.document->>'max_parallel')::integer AS max_parallel,
       (c.document->>'keep_output')::integer AS keep_output, (c.document->>'keep_artifacts')::integer AS keep_artifacts,
       (c.document->>'keep_history')::integer AS keep_history,
       coalesce((c.document->>'paused')::boolean, false) AS paused, c.archived, c.time_zone, c.uuid, c.created_at AS "DatCreate",
       c.changed_at AS "DatUpdate", c.stream_version
  FROM company c
 WHERE c.removed_at IS NULL AND ($1::integer IS NULL OR c.id = $1) AND ($2::text IS NULL OR lower(c.slug) = lower($2))
   AND ($3::text IS NULL OR c.name = $3) AND ($4::text IS NULL OR c.document->>'registration_number' = $4)
 ORDER BY c.id LIMIT 11

-- name: environment
-- The variables that each of some companies gives its jobs, sealed. $1: ids.
SELECT c.id, c.document->'environment' AS environment FROM company c WHERE c.id = ANY ($1::integer[])

-- name: dependents
-- How much depends on a company: nothing is lost by suspending it, all goes when it is removed. $1: id.
SELECT (SELECT count(*) FROM run_template t WHERE t.company_id = c.id AND t.removed_at IS NULL AND t.active AND t.interv <> 'n') AS scheduled,
       (SELECT count(*) FROM run_template t WHERE t.company_id = c.id AND t.removed_at IS NULL) AS templates,
       (SELECT count(*) FROM credential r WHERE r.company_id = c.id AND r.removed_at IS NULL) AS credentials,
       (SELECT count(*) FROM job_queue q WHERE q.company_id = c.id AND q.state = 'queued') AS waiting,
       (SELECT count(*) FROM job_queue q WHERE q.company_id = c.id AND q.state = 'running') AS running,
       (SELECT count(*) FROM membership m WHERE m.company_id = c.id AND m.revoked_at IS NULL
           AND (m.until IS NULL OR m.until > now())) AS members
  FROM company c WHERE c.id = $1::integer AND c.removed_at IS NULL

-- name: applications
-- Which company has which application. $1: company or NULL, $2: application or NULL, $3: at most, $4: skip, $5: the last first.
SELECT x.company_id, c.slug AS company_slug, c.name AS company_name, x.app_id, a.uuid AS app_uuid, a.name AS app_name, a.version,
       a.enabled, x.created_at AS "DatCreate",
       (SELECT count(*) FROM run_template t WHERE t.company_id = x.company_id AND t.app_id = x.app_id AND t.removed_at IS NULL)
           AS runtemplates
  FROM company_app x
  JOIN company c ON c.id = x.company_id AND c.removed_at IS NULL
  JOIN application a ON a.id = x.app_id AND a.removed_at IS NULL
 WHERE ($1::integer IS NULL OR x.company_id = $1) AND ($2::integer IS NULL OR x.app_id = $2)
 ORDER BY CASE WHEN $5::boolean THEN -x.company_id ELSE x.company_id END, CASE WHEN $5 THEN -x.app_id ELSE x.app_id END
 LIMIT $3::bigint OFFSET coalesce($4::bigint, 0)

-- name: sealed
-- What is stored encrypted of a company. $1: id.
SELECT c.id, c.document->'email' AS email, c.document->'environment' AS environment, c.document->'suspend_reason' AS suspend_reason
  FROM company c WHERE c.id = $1::integer AND c.removed_at IS NULL

-- name: choice
-- The first companies by id, as a filter offers them. $1: at most.
SELECT c.id, c.name, c.time_zone
  FROM company_page(NULL, false, NULL, false, $1::bigint, 0) WITH ORDINALITY AS p (id, place)
  JOIN company c ON c.id = p.id
 ORDER BY p.place

-- name: names
-- Names of companies that are there. $1: ids.
SELECT c.id, c.name FROM company c WHERE c.id = ANY ($1::integer[]) AND c.removed_at IS NULL
