-- name: list
-- Run templates by id. $1: company or NULL, $2: application or NULL, $3: at most, $4: skip, $5: newest first.
SELECT t.id, t.name, t.company_id, t.app_id, t.interv, t.document->>'cron' AS cron, t.active, t.executor,
       (t.document->>'delay')::integer AS delay, t.document->>'time_zone' AS time_zone, t.document->'environment' AS environment,
       t.document->>'deadline_offset' AS deadline_offset, (t.document->>'max_attempts')::integer AS max_attempts,
       t.document->>'retry_backoff' AS retry_backoff, (t.document->>'retry_min_gap')::integer AS retry_min_gap,
       (t.document->>'allow_late')::boolean AS allow_late, t.document->'note' AS note, t.uuid, d.last_due AS last_schedule,
       d.next_due AS next_schedule, coalesce(o.succeeded, 0) AS successfull_jobs_count, coalesce(o.failed, 0) AS failed_jobs_count,
       t.created_at AS "DatCreate", t.changed_at AS "DatSave", t.stream_version,
       c.name AS company_name, c.slug AS company_slug, a.name AS app_name, coalesce(t.document->>'time_zone', c.time_zone) AS zone
  FROM run_template t
  LEFT JOIN due d ON d.run_template_id = t.id
  LEFT JOIN run_template_outcomes o ON o.run_template_id = t.id
  LEFT JOIN company c ON c.id = t.company_id
  LEFT JOIN application a ON a.id = t.app_id
 WHERE t.removed_at IS NULL AND ($1::integer IS NULL OR t.company_id = $1) AND ($2::integer IS NULL OR t.app_id = $2)
 ORDER BY CASE WHEN $5::boolean THEN -t.id ELSE t.id END LIMIT $3::bigint OFFSET coalesce($4::bigint, 0)

-- name: find
-- One run template. $1: id, $2: name; those that are NULL do not matter.
SELECT t.id, t.name, t.company_id, t.app_id, t.interv, t.document->>'cron' AS cron, t.active, t.executor,
       (t.document->>'delay')::integer AS delay, t.document->>'time_zone' AS time_zone, t.document->'environment' AS environment,
       t.document->>'deadline_offset' AS deadline_offset, (t.document->>'max_attempts')::integer AS max_attempts,
       t.document->>'retry_backoff' AS retry_backoff, (t.document->>'retry_min_gap')::integer AS retry_min_gap,
       (t.document->>'allow_late')::boolean AS allow_late, t.document->'note' AS note, t.uuid, d.last_due AS last_schedule,
       d.next_due AS next_schedule, coalesce(o.succeeded, 0) AS successfull_jobs_count, coalesce(o.failed, 0) AS failed_jobs_count,
       t.created_at AS "DatCreate", t.changed_at AS "DatSave", t.stream_version,
       c.name AS company_name, c.slug AS company_slug, a.name AS app_name, coalesce(t.document->>'time_zone', c.time_zone) AS zone
  FROM run_template t
  LEFT JOIN due d ON d.run_template_id = t.id
  LEFT JOIN run_template_outcomes o ON o.run_template_id = t.id
  LEFT JOIN company c ON c.id = t.company_id
  LEFT JOIN application a ON a.id = t.app_id
 WHERE t.removed_at IS NULL AND ($1::integer IS NULL OR t.id = $1) AND ($2::text IS NULL OR t.name = $2)
 ORDER BY t.id LIMIT 1

-- name: due
-- Templates that are due at a moment, oldest first, with their jobs that wait and run. $1: moment, $2: at most, $3 and $4: the due
-- time and id that the page before ended with, or NULL.
SELECT d.run_template_id, d.company_id, d.next_due, t.document, coalesce(t.document->>'time_zone', c.time_zone, 'UTC') AS zone,
       t.app_id, coalesce(a.version, '') AS app_version, t.stream_version,
       (SELECT count(*) FROM job_queue q WHERE q.state = 'queued' AND q.run_template_id = d.run_template_id) AS queued,
       ARRAY(SELECT q.job_id FROM job_queue q WHERE q.state = 'running' AND q.company_id = d.company_id
                AND q.run_template_id = d.run_template_id) AS running
  FROM due d
  JOIN run_template t ON t.id = d.run_template_id
  JOIN company c ON c.id = t.company_id
  LEFT JOIN application a ON a.id = t.app_id
 WHERE d.next_due <= $1::timestamptz AND t.removed_at IS NULL AND c.removed_at IS NULL
   AND ($3::timestamptz IS NULL OR (d.next_due, d.run_template_id) > ($3, $4::integer))
 ORDER BY d.next_due, d.run_template_id LIMIT $2::integer

-- name: next_due
-- The earliest due time of all templates, or NULL.
SELECT min(d.next_due) FROM due d
