-- name: queue
-- Jobs in the queue that do not stand as their streams do. last_event: the type of the stream's last event, NULL if it has none.
SELECT q.job_id AS id, q.state, l.type AS last_event
  FROM job_queue q
  LEFT JOIN streams s ON s.stream = 'job-' || q.job_id
  LEFT JOIN LATERAL (
      SELECT e.type FROM events e WHERE e.stream = 'job-' || q.job_id ORDER BY e.version DESC LIMIT 1) l ON true
 WHERE s.version IS DISTINCT FROM q.stream_version
 ORDER BY q.job_id LIMIT $1::integer

-- name: not_queued
-- Jobs that have not ended and are not in the queue either.
SELECT j.id
  FROM job j
 WHERE j.finished_at IS NULL AND j.cancelled_at IS NULL
   AND NOT EXISTS (SELECT FROM job_queue q WHERE q.job_id = j.id)
   AND NOT EXISTS (SELECT FROM events e WHERE e.stream = 'job-' || j.id AND e.type IN ('JobFinished', 'JobCancelled'))
 ORDER BY j.id LIMIT $1::integer

-- name: orphans
-- Jobs that wait whose company or run template is gone.
SELECT q.job_id AS id, q.run_template_id, q.company_id, t.id IS NULL OR t.removed_at IS NOT NULL AS template_gone
  FROM job_queue q
  LEFT JOIN run_template t ON t.id = q.run_template_id
  LEFT JOIN company c ON c.id = q.company_id
 WHERE q.state = 'queued' AND (t.id IS NULL OR t.removed_at IS NOT NULL OR c.id IS NULL OR c.removed_at IS NOT NULL)
 ORDER BY q.job_id LIMIT $1::integer

-- name: unleased
-- Jobs that run for a minute or longer and that no executor holds.
SELECT q.job_id AS id, q.company_id, q.run_template_id, q.task_id, q.executor_id, q.stream_version AS version, q.cancel_requested_at,
       extract(epoch FROM clock_timestamp() - q.started_at)::double precision AS seconds
  FROM job_queue q
 WHERE q.state = 'running' AND q.started_at < clock_timestamp() - interval '1 minute'
   AND NOT EXISTS (SELECT FROM job_leases l WHERE l.job_id = q.job_id)
 ORDER BY q.job_id LIMIT $1::integer

-- name: leases
-- Leases that ran out of jobs that are not running.
SELECT l.job_id AS id, l.daemon_id
  FROM job_leases l
 WHERE l.expires_at < clock_timestamp() AND NOT EXISTS (SELECT FROM job_queue q WHERE q.job_id = l.job_id AND q.state = 'running')
 ORDER BY l.job_id LIMIT $1::integer

-- name: tasks
-- Tasks of which a job is said to run that does not.
SELECT t.id, t.running_job_id
  FROM task t
 WHERE t.ended_as IS NULL AND t.running_job_id IS NOT NULL
   AND NOT EXISTS (SELECT FROM job_queue q WHERE q.job_id = t.running_job_id AND q.state = 'running')
 ORDER BY t.id LIMIT $1::integer

-- name: not_due
-- Active run templates with a schedule and no due time. Some have none any more.
SELECT t.id, t.document, coalesce(t.document->>'time_zone', c.time_zone, 'UTC') AS zone
  FROM run_template t
  LEFT JOIN due d ON d.run_template_id = t.id
  LEFT JOIN company c ON c.id = t.company_id
 WHERE t.removed_at IS NULL AND t.active AND t.interv <> 'n' AND d.next_due IS NULL
 ORDER BY t.id LIMIT $1::integer

-- name: due
-- Run templates that are due though they are inactive, manual or removed.
SELECT t.id, d.next_due
  FROM due d JOIN run_template t ON t.id = d.run_template_id
 WHERE d.next_due IS NOT NULL AND (t.removed_at IS NOT NULL OR NOT t.active OR t.interv = 'n')
 ORDER BY t.id LIMIT $1::integer
