-- name: page
-- Tasks, the newest first. $1: company, $2: run template, $3: states, $4 and $5: their windows begin from and before these
-- moments, $6: ids below, $7: at most; those that are NULL do not matter.
SELECT t.id, t.company_id, t.run_template_id, t.window_start, t.window_end, t.deadline, t.state, t.fulfilled_by_job_id,
       t.fulfilled_at, t.attempts, t.max_attempts, t.allow_late, t.running_job_id, t.ended_at, t.reason, t.opened_at,
       r.name AS run_template_name, c.name AS company_name, coalesce(r.document->>'time_zone', c.time_zone) AS time_zone
  FROM task t LEFT JOIN run_template r ON r.id = t.run_template_id LEFT JOIN company c ON c.id = t.company_id
 WHERE ($1::integer IS NULL OR t.company_id = $1) AND ($2::integer IS NULL OR t.run_template_id = $2)
   AND ($3::text[] IS NULL OR t.state = ANY ($3)) AND ($4::timestamptz IS NULL OR t.window_start >= $4)
   AND ($5::timestamptz IS NULL OR t.window_start < $5) AND ($6::integer IS NULL OR t.id < $6)
 ORDER BY t.id DESC LIMIT $7::integer

-- name: find
-- One task. $1: id.
SELECT t.id, t.company_id, t.run_template_id, t.window_start, t.window_end, t.deadline, t.state, t.fulfilled_by_job_id,
       t.fulfilled_at, t.attempts, t.max_attempts, t.allow_late, t.running_job_id, t.ended_at, t.reason, t.opened_at,
       r.name AS run_template_name, c.name AS company_name, coalesce(r.document->>'time_zone', c.time_zone) AS time_zone,
       r.document->>'retry_backoff' AS retry_backoff, (r.document->>'retry_min_gap')::integer AS retry_min_gap,
       r.document->>'missed_policy' AS missed_policy
  FROM task t LEFT JOIN run_template r ON r.id = t.run_template_id LEFT JOIN company c ON c.id = t.company_id
 WHERE t.id = $1::integer

-- name: attempts
-- The jobs of a task, the first first; columns as those of the shared query job.list, with the number of the attempt, which only
-- the log tells. A job that runs an ended task again is looked for until a day after its window. $1: task id.
SELECT j.id, j.company_id, j.runtemplate_id, j.app_id, j.state, j.outcome, j.exitcode, j.started_at AS begin,
       j.finished_at AS "end", j.not_before AS schedule, j.due, j.schedule_type, j.executor, j.launched_by, j.duration,
       j.scheduled_at, j.cancelled_at, j.reason, j.host, (e.data->>'attempt')::integer AS attempt,
       (e.data->>'retry_of')::integer AS retry_of, r.name AS runtemplate_name, c.name AS company_name, a.name AS app_name
  FROM task t
  JOIN job j ON j.runtemplate_id = t.run_template_id AND j.scheduled_at >= t.opened_at
   AND (t.ended_at IS NULL OR j.scheduled_at < greatest(t.window_end, t.ended_at) + interval '1 day')
  LEFT JOIN run_template r ON r.id = t.run_template_id
  LEFT JOIN company c ON c.id = t.company_id
  LEFT JOIN application a ON a.id = j.app_id
  JOIN LATERAL (
      SELECT x.data FROM events x
       WHERE x.stream = 'job-' || j.id AND x.version = 1 AND x.class = 2
         AND x.time BETWEEN j.scheduled_at - interval '1 day' AND j.scheduled_at + interval '1 day') e
    ON (e.data->>'task_id')::integer = t.id
 WHERE t.id = $1::integer
 ORDER BY j.id LIMIT 200

-- name: today
-- How many tasks are in each state whose windows began today, in the time zone of their company. $1: company or NULL.
SELECT w.state, count(*) AS tasks
  FROM run_template r
  JOIN company c ON c.id = r.company_id
 CROSS JOIN LATERAL (
     SELECT t.state FROM task t
      WHERE t.run_template_id = r.id
        AND t.window_start >= date_trunc('day', now() AT TIME ZONE c.time_zone) AT TIME ZONE c.time_zone
        AND t.window_start <= now()
     OFFSET 0) w
 WHERE $1::integer IS NULL OR r.company_id = $1
 GROUP BY w.state
