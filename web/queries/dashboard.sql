-- name: running
-- Jobs that run now, the longest first, with how many there are in all. $1: company or NULL, $2: at most.
SELECT q.job_id AS id, q.company_id, q.run_template_id AS runtemplate_id, q.app_id, q.state, NULL::text AS outcome,
       NULL::integer AS exitcode, q.started_at AS begin, NULL::timestamptz AS "end",
       NULL::double precision AS duration, q.queued_at AS scheduled_at,
       q.not_before AS schedule, q.schedule_type, q.launched_by, q.executor, t.name AS runtemplate_name,
       c.name AS company_name, a.name AS app_name, count(*) OVER () AS in_all
  FROM job_queue q
  LEFT JOIN run_template t ON t.id = q.run_template_id
  LEFT JOIN company c ON c.id = q.company_id
  LEFT JOIN application a ON a.id = q.app_id
 WHERE q.state = 'running' AND ($1::integer IS NULL OR q.company_id = $1)
 ORDER BY q.started_at, q.job_id LIMIT $2::integer

-- name: newest_tree_head
-- When the newest signed tree head was made, or no row.
SELECT h.time FROM tree_heads h ORDER BY h.id DESC LIMIT 1
