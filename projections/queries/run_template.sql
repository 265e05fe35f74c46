-- name: list
-- Run templates by id. $1: company or NULL, $2: application or NULL, $3: at most, $4: skip, $5: newest first, $6: the id that the
-- page before ended with, or NULL, $7: words of the name, or NULL.
SELECT t.id, t.name, t.company_id, t.app_id, t.interv, t.document->>'cron' AS cron, t.active, t.executor,
       (t.document->>'delay')::integer AS delay, t.document->>'time_zone' AS time_zone, t.document->'environment' AS environment,
       t.document->>'deadline_offset' AS deadline_offset, (t.document->>'max_attempts')::integer AS max_attempts,
       t.document->>'retry_backoff' AS retry_backoff, (t.document->>'retry_min_gap')::integer AS retry_min_gap,
       (t.document->>'allow_late')::boolean AS allow_late, (t.document->>'start_at')::timestamptz AS start_at,
       (t.document->>'end_at')::timestamptz AS end_at, coalesce((t.document->>'jitter')::integer, 0) AS jitter,
       coalesce(t.document->>'missed_policy', 'once') AS missed_policy,
       coalesce((t.document->>'missed_limit')::integer, 10) AS missed_limit,
       coalesce(t.document->>'overlap_policy', 'queue') AS overlap_policy, coalesce(t.document->>'when_lost', 'fail') AS when_lost,
       coalesce((t.document->>'priority')::integer, 0) AS priority, (t.document->>'max_parallel')::integer AS max_parallel,
       coalesce(t.document->'labels', '[]') AS labels, coalesce(t.document->'limits', '{}') AS limits,
       t.document->>'run_as' AS run_as, t.document->'note' AS note, t.uuid, d.last_due AS last_schedule,
       d.next_due AS next_schedule, coalesce(o.succeeded, 0) AS successfull_jobs_count, coalesce(o.failed, 0) AS failed_jobs_count,
       t.created_at AS "DatCreate", t.changed_at AS "DatSave", t.stream_version,
       c.name AS company_name, c.slug AS company_slug, a.name AS app_name, coalesce(t.document->>'time_zone', c.time_zone) AS zone
  FROM run_template_page($1::integer, $2::integer, $7::text, $6::integer, $5::boolean, $3::bigint, $4::bigint)
       WITH ORDINALITY AS p (id, place)
  JOIN run_template t ON t.id = p.id
  LEFT JOIN due d ON d.run_template_id = t.id
  LEFT JOIN run_template_outcomes o ON o.run_template_id = t.id
  LEFT JOIN company c ON c.id = t.company_id
  LEFT JOIN application a ON a.id = t.app_id
 ORDER BY p.place

-- name: find
-- Run templates by id or name, as many as are needed to tell that there are several. $1: id, $2: name; those that are NULL do not
-- matter.
SELECT t.id, t.name, t.company_id, t.app_id, t.interv, t.document->>'cron' AS cron, t.active, t.executor,
       (t.document->>'delay')::integer AS delay, t.document->>'time_zone' AS time_zone, t.document->'environment' AS environment,
       t.document->>'deadline_offset' AS deadline_offset, (t.document->>'max_attempts')::integer AS max_attempts,
       t.document->>'retry_backoff' AS retry_backoff, (t.document->>'retry_min_gap')::integer AS retry_min_gap,
       (t.document->>'allow_late')::boolean AS allow_late, (t.document->>'start_at')::timestamptz AS start_at,
       (t.document->>'end_at')::timestamptz AS end_at, coalesce((t.document->>'jitter')::integer, 0) AS jitter,
       coalesce(t.document->>'missed_policy', 'once') AS missed_policy,
       coalesce((t.document->>'missed_limit')::integer, 10) AS missed_limit,
       coalesce(t.document->>'overlap_policy', 'queue') AS overlap_policy, coalesce(t.document->>'when_lost', 'fail') AS when_lost,
       coalesce((t.document->>'priority')::integer, 0) AS priority, (t.document->>'max_parallel')::integer AS max_parallel,
       coalesce(t.document->'labels', '[]') AS labels, coalesce(t.document->'limits', '{}') AS limits,
       t.document->>'run_as' AS run_as, t.document->'note' AS note, t.uuid, d.last_due AS last_schedule,
       d.next_due AS next_schedule, coalesce(o.succeeded, 0) AS successfull_jobs_count, coalesce(o.failed, 0) AS failed_jobs_count,
       t.created_at AS "DatCreate", t.changed_at AS "DatSave", t.stream_version,
       c.name AS company_name, c.slug AS company_slug, a.name AS app_name, coalesce(t.document->>'time_zone', c.time_zone) AS zone
  FROM run_template t
  LEFT JOIN due d ON d.run_template_id = t.id
  LEFT JOIN run_template_outcomes o ON o.run_template_id = t.id
  LEFT JOIN company c ON c.id = t.company_id
  LEFT JOIN application a ON a.id = t.app_id
 WHERE t.removed_at IS NULL AND ($1::integer IS NULL OR t.id = $1) AND ($2::text IS NULL OR t.name = $2)
 ORDER BY t.id LIMIT 11

-- name: trial
-- What a job of a run template would be started with, as claim_jobs gives it. $1: id.
SELECT t.id AS run_template_id, t.company_id, t.name, t.document->'environment' AS template_environment,
       a.document->'definition' AS definition, c.name AS company_name, c.slug AS company_slug,
       coalesce(t.document->>'time_zone', c.time_zone, 'UTC') AS zone, c.document->'environment' AS company_environment,
       credentials_of(t.id) AS credentials
  FROM run_template t
  LEFT JOIN application a ON a.id = t.app_id
  LEFT JOIN company c ON c.id = t.company_id
 WHERE t.id = $1::integer AND t.removed_at IS NULL

-- name: due_ids
-- Templates that are due at a moment and when, oldest first, as two arrays. $1: moment, $2: at most, $3 and $4: the due time and
-- id that the page before ended with, or NULL.
SELECT array_agg(d.run_template_id) AS ids, array_agg(d.next_due) AS moments
  FROM (SELECT d.run_template_id, d.next_due FROM due d
         WHERE d.next_due <= $1::timestamptz
           AND ($3::timestamptz IS NULL OR (d.next_due, d.run_template_id) > ($3, $4::integer))
         ORDER BY d.next_due, d.run_template_id LIMIT $2::integer) d

-- name: due
-- What the scheduler needs of templates that are due at a moment, with their jobs that wait and run. $1: moment, $2: templates.
SELECT d.run_template_id, d.company_id, d.next_due, t.document, coalesce(t.document->>'time_zone', c.time_zone, 'UTC') AS zone,
       t.app_id, coalesce(a.version, '') AS app_version, t.stream_version,
       w.queued, w.running
  FROM due d
  JOIN run_template t ON t.id = d.run_template_id
  JOIN company c ON c.id = t.company_id
  LEFT JOIN application a ON a.id = t.app_id
 CROSS JOIN LATERAL (
     SELECT count(*) FILTER (WHERE q.state = 'queued') AS queued,
            coalesce(array_agg(q.job_id) FILTER (WHERE q.state = 'running'), '{}') AS running
       FROM job_queue q WHERE q.run_template_id = d.run_template_id) w
 WHERE d.run_template_id = ANY ($2::integer[]) AND d.next_due <= $1::timestamptz AND t.removed_at IS NULL AND c.removed_at IS NULL

-- name: next_due
-- The earliest due time of all templates, or NULL.
SELECT min(d.next_due) FROM due d

-- name: ids
-- So many fresh ids of jobs and of tasks. $1, $2: how many.
SELECT ARRAY(SELECT nextval('job_id')::integer FROM generate_series(1, $1::integer)) AS jobs,
       ARRAY(SELECT nextval('task_id')::integer FROM generate_series(1, $2::integer)) AS tasks

-- name: stale
-- Active templates that should have run and did not, the longest overdue first. $1: tolerance in hours. reason: not scheduled
-- (nobody opened its window), waiting (its job waits for a place), missed (its newest window saw no attempt). since: when it
-- should have run; paused: whether its company, its application or the installation is.
SELECT t.id, t.name, t.company_id, c.slug AS company_slug, a.name AS app_name, t.interv, t.document->>'cron' AS cron, s.reason, s.since,
       extract(epoch FROM now() - s.since)::double precision / 3600 AS hours, d.last_due AS last_schedule, d.next_due AS next_schedule,
       coalesce((c.document->>'paused')::boolean, false) OR coalesce((a.document->>'paused')::boolean, false)
           OR EXISTS (SELECT FROM system_state y WHERE y.paused) AS paused,
       coalesce(t.document->>'time_zone', c.time_zone) AS zone
  FROM run_template t
  JOIN company c ON c.id = t.company_id
  LEFT JOIN application a ON a.id = t.app_id
  LEFT JOIN due d ON d.run_template_id = t.id
  LEFT JOIN LATERAL (
      SELECT min(q.not_before) FILTER (WHERE q.state = 'queued') AS waits, count(*) AS jobs
        FROM job_queue q WHERE q.run_template_id = t.id) w ON true
  LEFT JOIN LATERAL (
      SELECT k.window_start, k.state, k.attempts FROM task k WHERE k.run_template_id = t.id AND k.window_start IS NOT NULL
       ORDER BY k.window_start DESC LIMIT 1) n ON true
 CROSS JOIN LATERAL (
      SELECT 'not scheduled' AS reason, d.next_due AS since
      UNION ALL SELECT 'waiting', w.waits
      UNION ALL SELECT 'missed', n.window_start
       WHERE n.state = 'missed' OR n.state = 'open' AND n.attempts = 0 AND w.jobs = 0) s
 WHERE t.removed_at IS NULL AND t.active AND s.since < now() - make_interval(hours => $1::integer)
 ORDER BY s.since, t.id, s.reason
