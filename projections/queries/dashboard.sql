-- name: days
-- Figures of each day from a day on. $1: company or NULL, $2: first day.
SELECT d.day, sum(d.scheduled)::bigint AS scheduled, sum(d.succeeded)::bigint AS succeeded, sum(d.warned)::bigint AS warned,
       sum(d.failed)::bigint AS failed, sum(d.cancelled)::bigint AS cancelled, sum(d.run_time)::double precision AS run_time
  FROM dashboard_day d
 WHERE ($1::integer IS NULL OR d.company_id = $1) AND d.day >= $2::date
 GROUP BY d.day ORDER BY d.day

-- name: figures
-- What there is now. $1: company or NULL.
SELECT (SELECT count(*) FROM company c WHERE c.removed_at IS NULL AND ($1::integer IS NULL OR c.id = $1)) AS companies,
       (SELECT count(*) FROM application a WHERE a.removed_at IS NULL) AS applications,
       (SELECT count(*) FROM run_template t WHERE t.removed_at IS NULL AND ($1::integer IS NULL OR t.company_id = $1)) AS run_templates,
       (SELECT count(*) FROM run_template t WHERE t.removed_at IS NULL AND t.active
           AND ($1::integer IS NULL OR t.company_id = $1)) AS active_run_templates,
       (SELECT count(*) FROM job_queue q WHERE q.state = 'queued' AND ($1::integer IS NULL OR q.company_id = $1)) AS queued,
       (SELECT count(*) FROM job_queue q WHERE q.state = 'running' AND ($1::integer IS NULL OR q.company_id = $1)) AS running,
       (SELECT min(d.next_due) FROM due d WHERE $1::integer IS NULL OR d.company_id = $1) AS next_due

-- name: upcoming
-- Templates that are due next. $1: company or NULL, $2: at most.
SELECT d.run_template_id, t.name, d.next_due, t.company_id, c.name AS company_name, a.name AS app_name
  FROM due d JOIN run_template t ON t.id = d.run_template_id
  LEFT JOIN company c ON c.id = t.company_id LEFT JOIN application a ON a.id = t.app_id
 WHERE d.next_due IS NOT NULL AND ($1::integer IS NULL OR d.company_id = $1)
 ORDER BY d.next_due, d.run_template_id LIMIT $2::integer
