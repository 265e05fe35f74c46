-- name: list
-- Jobs that wait. $1: company or NULL, $2: by id instead of by start, $3: the last first, $4: at most, $5: skip.
SELECT q.job_id AS id, q.not_before AS after, q.job_id AS job, q.schedule_type, q.run_template_id AS runtemplate_id,
       t.name AS runtemplate_name, q.app_id, a.name AS app_name, q.company_id, c.name AS company_name, c.slug AS company_slug,
       q.executor, q.priority, q.labels, q.task_id, q.attempt, q.due, q.launched_by, q.queued_at,
       extract(epoch FROM q.not_before - now())::double precision AS waiting_seconds
  FROM job_queue q
  LEFT JOIN run_template t ON t.id = q.run_template_id
  LEFT JOIN application a ON a.id = q.app_id
  LEFT JOIN company c ON c.id = q.company_id
 WHERE q.state = 'queued' AND ($1::integer IS NULL OR q.company_id = $1)
 ORDER BY CASE WHEN NOT $2::boolean AND NOT $3::boolean THEN q.not_before END,
          CASE WHEN NOT $2 AND $3 THEN q.not_before END DESC,
          CASE WHEN $3 THEN -q.job_id ELSE q.job_id END
 LIMIT $4::bigint OFFSET coalesce($5::bigint, 0)

-- name: figures
-- What waits and runs. $1: company or NULL. ready: may start now; oldest: since when the first of those could have started.
SELECT count(*) FILTER (WHERE q.state = 'queued') AS waiting,
       count(*) FILTER (WHERE q.state = 'queued' AND q.not_before <= now()) AS ready,
       count(*) FILTER (WHERE q.state = 'queued' AND q.not_before > now()) AS later,
       count(*) FILTER (WHERE q.state = 'running') AS running,
       count(*) FILTER (WHERE q.state = 'running' AND q.cancel_requested_at IS NOT NULL) AS ending,
       count(*) FILTER (WHERE q.state = 'queued' AND q.attempt > 1) AS retries,
       min(q.not_before) FILTER (WHERE q.state = 'queued' AND q.not_before <= now()) AS oldest,
       min(q.not_before) FILTER (WHERE q.state = 'queued' AND q.not_before > now()) AS next_start,
       count(*) FILTER (WHERE q.state = 'queued' AND (c.id IS NULL OR c.removed_at IS NOT NULL OR t.id IS NULL
           OR t.removed_at IS NOT NULL)) AS orphaned,
       count(DISTINCT q.app_id) FILTER (WHERE q.state = 'queued') AS applications,
       count(DISTINCT q.company_id) FILTER (WHERE q.state = 'queued') AS companies,
       count(DISTINCT q.run_template_id) FILTER (WHERE q.state = 'queued') AS run_templates
  FROM job_queue q
  LEFT JOIN company c ON c.id = q.company_id
  LEFT JOIN run_template t ON t.id = q.run_template_id
 WHERE $1::integer IS NULL OR q.company_id = $1

-- name: breakdown
-- How many jobs wait, by the type of their schedule. $1: company or NULL.
SELECT q.schedule_type, count(*) AS jobs FROM job_queue q
 WHERE q.state = 'queued' AND ($1::integer IS NULL OR q.company_id = $1)
 GROUP BY 1 ORDER BY 2 DESC, 1

-- name: horizons
-- How many jobs that wait start today, tomorrow, this week and this month, in the time zone of their company; what could have
-- started earlier starts today. $1: company or NULL.
SELECT count(*) FILTER (WHERE j.day <= j.today) AS today, count(*) FILTER (WHERE j.day = j.today + 1) AS tomorrow,
       count(*) FILTER (WHERE date_trunc('week', j.day) <= date_trunc('week', j.today)) AS this_week,
       count(*) FILTER (WHERE date_trunc('month', j.day) <= date_trunc('month', j.today)) AS this_month
  FROM (SELECT (q.not_before AT TIME ZONE coalesce(c.time_zone, 'UTC'))::date AS day,
               (now() AT TIME ZONE coalesce(c.time_zone, 'UTC'))::date AS today
          FROM job_queue q LEFT JOIN company c ON c.id = q.company_id
         WHERE q.state = 'queued' AND ($1::integer IS NULL OR q.company_id = $1)) j

-- name: newest
-- The newest job that waits, or NULL. $1: company or NULL.
SELECT max(q.job_id) FROM job_queue q WHERE q.state = 'queued' AND ($1::integer IS NULL OR q.company_id = $1)

-- name: waiting
-- Jobs that wait, those that start last first: they are the least likely to be taken meanwhile. $1: company or NULL, $2: none
-- newer than this job, $3: at most.
SELECT q.job_id, q.company_id, q.run_template_id, q.app_id, q.executor, q.not_before, q.task_id, q.attempt, q.stream_version
  FROM job_queue q
 WHERE q.state = 'queued' AND ($1::integer IS NULL OR q.company_id = $1) AND q.job_id <= $2::integer
 ORDER BY q.not_before DESC, q.job_id DESC LIMIT $3::integer
