-- name: list
-- Jobs, newest first. $1: company, $2: run template, $3: state or outcome (queued, running, finished, cancelled, success,
-- warning, failed, failure, lost, timeout …), $4: ids below, $5: at most, $6: skip; those that are NULL do not matter.
SELECT j.id, j.company_id, j.runtemplate_id, j.app_id, j.state, j.outcome, j.exitcode, j.started_at AS begin,
       j.finished_at AS "end", j.not_before AS schedule, j.due, j.schedule_type, j.executor, j.executor_id, j.host, j.pid,
       j.launched_by, j.command, j.env, j.app_version, j.reason, j.signal, j.duration, j.scheduled_at, j.cancelled_at,
       j.stdout, j.stderr, j.uuid, j.stream_version, t.name AS runtemplate_name, c.name AS company_name, c.slug AS company_slug,
       a.name AS app_name
  FROM job j
  LEFT JOIN run_template t ON t.id = j.runtemplate_id
  LEFT JOIN company c ON c.id = j.company_id
  LEFT JOIN application a ON a.id = j.app_id
 WHERE ($1::integer IS NULL OR j.company_id = $1) AND ($2::integer IS NULL OR j.runtemplate_id = $2)
   AND ($3::text IS NULL OR j.state = $3 OR j.outcome = $3
        OR $3 = 'failed' AND j.outcome NOT IN ('success', 'warning', 'cancelled') OR $3 = 'pending' AND j.state = 'queued')
   AND ($4::integer IS NULL OR j.id < $4)
 ORDER BY j.id DESC LIMIT $5::bigint OFFSET coalesce($6::bigint, 0)

-- name: list_ascending
-- Jobs, oldest first; parameters as those of list, $4: ids above.
SELECT j.id, j.company_id, j.runtemplate_id, j.app_id, j.state, j.outcome, j.exitcode, j.started_at AS begin,
       j.finished_at AS "end", j.not_before AS schedule, j.due, j.schedule_type, j.executor, j.executor_id, j.host, j.pid,
       j.launched_by, j.command, j.env, j.app_version, j.reason, j.signal, j.duration, j.scheduled_at, j.cancelled_at,
       j.stdout, j.stderr, j.uuid, j.stream_version, t.name AS runtemplate_name, c.name AS company_name, c.slug AS company_slug,
       a.name AS app_name
  FROM job j
  LEFT JOIN run_template t ON t.id = j.runtemplate_id
  LEFT JOIN company c ON c.id = j.company_id
  LEFT JOIN application a ON a.id = j.app_id
 WHERE ($1::integer IS NULL OR j.company_id = $1) AND ($2::integer IS NULL OR j.runtemplate_id = $2)
   AND ($3::text IS NULL OR j.state = $3 OR j.outcome = $3
        OR $3 = 'failed' AND j.outcome NOT IN ('success', 'warning', 'cancelled') OR $3 = 'pending' AND j.state = 'queued')
   AND ($4::integer IS NULL OR j.id > $4)
 ORDER BY j.id LIMIT $5::bigint OFFSET coalesce($6::bigint, 0)

-- name: find
-- One job. $1: id.
SELECT j.id, j.company_id, j.runtemplate_id, j.app_id, j.state, j.outcome, j.exitcode, j.started_at AS begin,
       j.finished_at AS "end", j.not_before AS schedule, j.due, j.schedule_type, j.executor, j.executor_id, j.host, j.pid,
       j.launched_by, j.command, j.env, j.app_version, j.reason, j.signal, j.duration, j.scheduled_at, j.cancelled_at,
       j.stdout, j.stderr, j.uuid, j.stream_version, t.name AS runtemplate_name, c.name AS company_name, c.slug AS company_slug,
       a.name AS app_name
  FROM job j
  LEFT JOIN run_template t ON t.id = j.runtemplate_id
  LEFT JOIN company c ON c.id = j.company_id
  LEFT JOIN application a ON a.id = j.app_id
 WHERE j.id = $1::integer

-- name: output
-- How much a job wrote to each channel. $1: job id.
SELECT o.channel, sum(o.chunks)::bigint AS chunks, sum(o.bytes)::bigint AS bytes, sum(o.dropped)::bigint AS dropped,
       min(o.first_at) AS first_at, max(o.last_at) AS last_at
  FROM job_output o WHERE o.job_id = $1::integer GROUP BY o.channel ORDER BY o.channel

-- name: counts
-- How many jobs stand in each state or ended in each outcome. $1: company or NULL.
SELECT coalesce(j.outcome, j.state) AS state, count(*) AS jobs
  FROM job j WHERE $1::integer IS NULL OR j.company_id = $1
 GROUP BY 1 ORDER BY 1

-- name: queued
-- A job that waits or runs, with what another attempt of it needs. $1: id.
SELECT q.job_id, q.company_id, q.run_template_id, q.app_id, q.executor, q.priority, q.labels, q.environment, q.task_id, q.attempt,
       q.state, q.stream_version, q.cancel_requested_at, q.cancel_reason, coalesce(a.version, '') AS app_version
  FROM job_queue q LEFT JOIN application a ON a.id = q.app_id
 WHERE q.job_id = $1::integer

-- name: origin
-- What the log tells of how a job came about: its task, which attempt it is, the job that it runs again, the labels that its
-- executor must have. $1: id.
SELECT (e.data->>'task_id')::integer AS task_id, coalesce((e.data->>'attempt')::integer, 1) AS attempt,
       (e.data->>'retry_of')::integer AS retry_of, coalesce(e.data->'labels', '[]') AS labels
  FROM events e WHERE e.stream = 'job-' || $1::integer AND e.version = 1
