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
