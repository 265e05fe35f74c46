-- name: waiting
-- Jobs that wait, with their place among those of their company and why they wait, as choose_jobs() decides; what executors
-- there are is not looked at. Those that may start come first. $1: company or NULL, $2: at most, $3: skip, $4: only this job or NULL.
WITH running AS (
    SELECT q.company_id, q.run_template_id, q.app_id FROM job_queue q WHERE q.state = 'running'
), of_company AS (
    SELECT r.company_id, count(*) AS running FROM running r GROUP BY 1
), of_application AS (
    SELECT r.app_id, count(*) AS running FROM running r GROUP BY 1
), of_template AS (
    SELECT r.run_template_id, count(*) AS running FROM running r GROUP BY 1
), queue AS (
    SELECT q.*, q.not_before > now() AS later,
           row_number() OVER (PARTITION BY q.company_id, q.not_before > now() ORDER BY q.priority DESC, q.not_before, q.job_id) AS place
      FROM job_queue q WHERE q.state = 'queued' AND ($1::integer IS NULL OR q.company_id = $1)
), page AS (
    SELECT * FROM queue q WHERE $4::integer IS NULL OR q.job_id = $4
     ORDER BY q.later, CASE WHEN q.later THEN q.not_before END, q.place, q.company_id
     LIMIT $2::integer OFFSET $3::integer
)
SELECT q.job_id AS id, q.company_id, c.name AS company_name, q.run_template_id, t.name AS run_template_name, q.app_id AS application_id,
       a.name AS application_name, q.priority, q.not_before, q.queued_at, q.attempt, q.task_id, q.executor, q.labels, q.place,
       q.launched_by,
       CASE WHEN q.later THEN 'later'
            WHEN EXISTS (SELECT FROM system_state s WHERE s.paused) THEN 'system_paused'
            WHEN (c.document->>'paused')::boolean THEN 'company_paused'
            WHEN (a.document->>'paused')::boolean THEN 'application_paused'
            WHEN ft.running >= ft.most THEN 'template_full'
            WHEN fa.running >= (a.document->>'max_parallel')::integer THEN 'application_full'
            WHEN fc.running >= (c.document->>'max_parallel')::integer THEN 'company_full'
            ELSE 'place' END AS why,
       ft.running AS template_running, ft.most AS template_most, fa.running AS application_running,
       (a.document->>'max_parallel')::integer AS application_most, fc.running AS company_running,
       (c.document->>'max_parallel')::integer AS company_most
  FROM page q
  LEFT JOIN company c ON c.id = q.company_id
  LEFT JOIN run_template t ON t.id = q.run_template_id
  LEFT JOIN application a ON a.id = q.app_id
  LEFT JOIN of_company fc ON fc.company_id = q.company_id
  LEFT JOIN of_application fa ON fa.app_id = q.app_id
  LEFT JOIN LATERAL (
      SELECT r.running, CASE t.document->>'overlap_policy' WHEN 'allow' THEN (t.document->>'max_parallel')::integer ELSE 1 END AS most
        FROM of_template r WHERE r.run_template_id = q.run_template_id) ft ON true
 ORDER BY q.later, CASE WHEN q.later THEN q.not_before END, q.place, q.company_id

-- name: companies
-- Companies with jobs that wait or run, or that are paused, the busiest first. $1: company or NULL, $2: at most.
SELECT c.id, c.name, coalesce((c.document->>'paused')::boolean, false) AS paused, (c.document->>'max_parallel')::integer AS most,
       coalesce(q.waiting, 0) AS waiting, coalesce(q.running, 0) AS running, q.oldest
  FROM company c
  LEFT JOIN (
      SELECT j.company_id, count(*) FILTER (WHERE j.state = 'queued') AS waiting, count(*) FILTER (WHERE j.state = 'running') AS running,
             min(j.not_before) FILTER (WHERE j.state = 'queued' AND j.not_before <= now()) AS oldest
        FROM job_queue j GROUP BY 1) q ON q.company_id = c.id
 WHERE c.removed_at IS NULL AND ($1::integer IS NULL OR c.id = $1)
   AND (q.company_id IS NOT NULL OR (c.document->>'paused')::boolean OR c.id = $1)
 ORDER BY q.waiting DESC NULLS LAST, c.id LIMIT $2::integer

-- name: applications
-- Applications with jobs that wait or run, or that are paused, the busiest first. $1: company or NULL, $2: at most.
SELECT a.id, a.name, coalesce((a.document->>'paused')::boolean, false) AS paused, (a.document->>'max_parallel')::integer AS most,
       coalesce(q.waiting, 0) AS waiting, coalesce(q.running, 0) AS running, q.oldest
  FROM application a
  LEFT JOIN (
      SELECT j.app_id, count(*) FILTER (WHERE j.state = 'queued') AS waiting, count(*) FILTER (WHERE j.state = 'running') AS running,
             min(j.not_before) FILTER (WHERE j.state = 'queued' AND j.not_before <= now()) AS oldest
        FROM job_queue j WHERE $1::integer IS NULL OR j.company_id = $1 GROUP BY 1) q ON q.app_id = a.id
 WHERE a.removed_at IS NULL AND (q.app_id IS NOT NULL OR (a.document->>'paused')::boolean)
 ORDER BY q.waiting DESC NULLS LAST, a.id LIMIT $2::integer

-- name: concerned
-- How many jobs wait and run. $1: company, $2: application, $3: run template; those that are NULL do not matter.
SELECT count(*) FILTER (WHERE q.state = 'queued') AS waiting, count(*) FILTER (WHERE q.state = 'running') AS running
  FROM job_queue q
 WHERE ($1::integer IS NULL OR q.company_id = $1) AND ($2::integer IS NULL OR q.app_id = $2)
   AND ($3::integer IS NULL OR q.run_template_id = $3)

-- name: pause_of_application
-- An application and whether it is paused. $1: id.
SELECT a.name, coalesce((a.document->>'paused')::boolean, false) AS paused, a.document->>'pause_reason' AS reason
  FROM application a WHERE a.id = $1::integer AND a.removed_at IS NULL

-- name: pause_of_company
-- A company and whether it is paused. $1: id.
SELECT c.name, coalesce((c.document->>'paused')::boolean, false) AS paused, c.document->>'pause_reason' AS reason
  FROM company c WHERE c.id = $1::integer AND c.removed_at IS NULL

-- name: pause_of_template
-- A run template and whether it is switched off. $1: id.
SELECT t.name, NOT t.active AS paused, t.document->>'inactive_reason' AS reason
  FROM run_template t WHERE t.id = $1::integer AND t.removed_at IS NULL

-- name: pause_of_system
-- Whether the installation is paused; no row if it never was. $1 is not looked at.
SELECT NULL::text AS name, s.paused, s.reason FROM system_state s WHERE s.id = 1 AND $1::integer IS NOT NULL

-- name: of_template
-- Jobs of a run template that wait and run. $1: id.
SELECT q.job_id, q.state FROM job_queue q WHERE q.run_template_id = $1::integer ORDER BY q.job_id LIMIT 1000
