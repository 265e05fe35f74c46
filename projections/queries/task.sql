-- name: expired
-- Open tasks whose window has passed and of which no job runs. $1: moment, $2: at most.
SELECT t.id, t.company_id, t.run_template_id, t.window_start, t.window_end, t.deadline, t.max_attempts, t.allow_late, t.attempts,
       t.stream_version
  FROM task t
 WHERE t.ended_as IS NULL AND t.window_end <= $1::timestamptz AND t.running_job_id IS NULL AND t.opened_at IS NOT NULL
 ORDER BY t.window_end LIMIT $2::integer

-- name: list
-- Tasks, newest first. $1: company, $2: run template, $3: state, $4: ids below, $5: at most, $6: skip; NULL does not matter.
SELECT t.id, t.company_id, t.run_template_id AS runtemplate_id, t.window_start, t.window_end, t.deadline, t.state,
       t.fulfilled_by_job_id, t.fulfilled_at, t.attempts, t.max_attempts, t.allow_late, t.running_job_id, t.ended_at, t.reason,
       t.opened_at AS created_at, r.name AS runtemplate_name, c.name AS company_name
  FROM task t LEFT JOIN run_template r ON r.id = t.run_template_id LEFT JOIN company c ON c.id = t.company_id
 WHERE ($1::integer IS NULL OR t.company_id = $1) AND ($2::integer IS NULL OR t.run_template_id = $2)
   AND ($3::text IS NULL OR t.state = $3) AND ($4::integer IS NULL OR t.id < $4)
 ORDER BY t.id DESC LIMIT $5::bigint OFFSET coalesce($6::bigint, 0)

-- name: find
-- One task. $1: id.
SELECT t.id, t.company_id, t.run_template_id AS runtemplate_id, t.window_start, t.window_end, t.deadline, t.state,
       t.fulfilled_by_job_id, t.fulfilled_at, t.attempts, t.max_attempts, t.allow_late, t.running_job_id, t.ended_at, t.reason,
       t.opened_at AS created_at, r.name AS runtemplate_name, c.name AS company_name
  FROM task t LEFT JOIN run_template r ON r.id = t.run_template_id LEFT JOIN company c ON c.id = t.company_id
 WHERE t.id = $1::integer

-- name: counts
-- How many tasks are in each state. $1: company or NULL, $2: run template or NULL.
SELECT t.state, count(*) AS tasks FROM task t
 WHERE ($1::integer IS NULL OR t.company_id = $1) AND ($2::integer IS NULL OR t.run_template_id = $2)
 GROUP BY t.state ORDER BY t.state

-- name: to_settle
-- What settling an attempt of a task needs to know. $1: task id.
SELECT t.id, t.company_id, t.run_template_id, t.window_start, t.window_end, t.deadline, t.max_attempts, t.allow_late, t.ended_as,
       t.stream_version, r.document->>'retry_backoff' AS retry_backoff, (r.document->>'retry_min_gap')::integer AS retry_min_gap,
       r.document->>'when_lost' AS when_lost, r.removed_at IS NOT NULL AS template_removed
  FROM task t LEFT JOIN run_template r ON r.id = t.run_template_id
 WHERE t.id = $1::integer

-- name: busy
-- A job of a task that waits or runs, NULL if none does. $1: task id.
SELECT min(q.job_id) FROM job_queue q WHERE q.task_id = $1::integer

-- name: page
-- Tasks by id. $1: company, $2: run template, $3: state, $4 and $5: their windows begin from and before these moments, $6: at most,
-- $7: skip; NULL does not matter.
SELECT t.id, t.company_id, t.run_template_id AS runtemplate_id, t.window_start, t.window_end, t.deadline, t.state,
       t.fulfilled_by_job_id, t.fulfilled_at, t.attempts, t.max_attempts, t.allow_late, t.running_job_id, t.ended_at, t.reason,
       t.opened_at AS created_at, r.name AS runtemplate_name, c.name AS company_name, c.slug AS company_slug
  FROM task t LEFT JOIN run_template r ON r.id = t.run_template_id LEFT JOIN company c ON c.id = t.company_id
 WHERE ($1::integer IS NULL OR t.company_id = $1) AND ($2::integer IS NULL OR t.run_template_id = $2)
   AND ($3::text IS NULL OR t.state = $3) AND ($4::timestamptz IS NULL OR t.window_start >= $4)
   AND ($5::timestamptz IS NULL OR t.window_start < $5)
 ORDER BY t.id LIMIT $6::bigint OFFSET coalesce($7::bigint, 0)

-- name: page_newest
-- Tasks by id, the newest first; parameters as those of page.
SELECT t.id, t.company_id, t.run_template_id AS runtemplate_id, t.window_start, t.window_end, t.deadline, t.state,
       t.fulfilled_by_job_id, t.fulfilled_at, t.attempts, t.max_attempts, t.allow_late, t.running_job_id, t.ended_at, t.reason,
       t.opened_at AS created_at, r.name AS runtemplate_name, c.name AS company_name, c.slug AS company_slug
  FROM task t LEFT JOIN run_template r ON r.id = t.run_template_id LEFT JOIN company c ON c.id = t.company_id
 WHERE ($1::integer IS NULL OR t.company_id = $1) AND ($2::integer IS NULL OR t.run_template_id = $2)
   AND ($3::text IS NULL OR t.state = $3) AND ($4::timestamptz IS NULL OR t.window_start >= $4)
   AND ($5::timestamptz IS NULL OR t.window_start < $5)
 ORDER BY t.id DESC LIMIT $6::bigint OFFSET coalesce($7::bigint, 0)

-- name: jobs
-- The attempts of a task, as they stand in the history. $1: task id. Which attempt a job is, only the log tells.
SELECT j.id, (e.data->>'attempt')::integer AS attempt, (e.data->>'retry_of')::integer AS retry_of, j.state, j.outcome, j.exitcode,
       j.schedule_type, j.not_before AS schedule, j.started_at AS begin, j.finished_at AS "end", j.duration, j.executor, j.host,
       j.launched_by, j.reason
  FROM task t
  JOIN job j ON j.runtemplate_id = t.run_template_id AND j.scheduled_at >= t.opened_at
  JOIN LATERAL (
      SELECT x.data FROM events x
       WHERE x.stream = 'job-' || j.id AND x.version = 1 AND x.class = 2
         AND x.time BETWEEN j.scheduled_at - interval '1 day' AND j.scheduled_at + interval '1 day') e
    ON (e.data->>'task_id')::integer = t.id
 WHERE t.id = $1::integer
 ORDER BY j.id

-- name: period
-- How many tasks are in each state whose windows began in a period. $1: company or NULL, $2: run template or NULL, $3: from, $4:
-- before. A template at a time, by its index: there are few windows in a period, and many before it.
SELECT w.state, count(*) AS tasks
  FROM run_template r
 CROSS JOIN LATERAL (
     SELECT t.state FROM task t WHERE t.run_template_id = r.id AND t.window_start >= $3::timestamptz AND t.window_start < $4::timestamptz
     OFFSET 0) w
 WHERE ($1::integer IS NULL OR r.company_id = $1) AND ($2::integer IS NULL OR r.id = $2)
 GROUP BY w.state ORDER BY w.state

-- name: today
-- How many tasks are in each state whose windows began today, in the time zone of their company.
SELECT w.state, count(*) AS tasks
  FROM run_template r
  JOIN company c ON c.id = r.company_id
 CROSS JOIN LATERAL (
     SELECT t.state FROM task t
      WHERE t.run_template_id = r.id
        AND t.window_start >= date_trunc('day', now() AT TIME ZONE c.time_zone) AT TIME ZONE c.time_zone
        AND t.window_start <= now()
     OFFSET 0) w
 GROUP BY w.state ORDER BY w.state

-- name: opened
-- Windows that became tasks. $1, $2: run templates and the beginnings of their windows, side by side.
SELECT k.run_template_id, k.window_start
  FROM unnest($1::integer[], $2::timestamptz[]) AS w (id, due)
  JOIN task k ON k.run_template_id = w.id AND k.window_start = w.due

-- name: report
-- What became of the tasks of each run template of a company whose windows began in a period. $1: company, $2: from, $3: before.
SELECT r.id AS runtemplate_id, r.name, count(*) FILTER (WHERE t.state = 'fulfilled') AS fulfilled,
       count(*) FILTER (WHERE t.state = 'fulfilled_late') AS fulfilled_late, count(*) FILTER (WHERE t.state = 'failed') AS failed,
       count(*) FILTER (WHERE t.state = 'missed') AS missed, count(*) FILTER (WHERE t.ended_as IS NULL) AS unfinished,
       coalesce(sum(t.attempts), 0)::bigint AS attempts
  FROM run_template r
  JOIN task t ON t.run_template_id = r.id AND t.window_start >= $2::timestamptz AND t.window_start < $3::timestamptz
 WHERE r.company_id = $1::integer
 GROUP BY r.id, r.name ORDER BY r.name, r.id
