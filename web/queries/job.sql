-- name: output
-- What a job wrote to each channel so far: chunks, bytes kept, bytes dropped. $1: job id.
SELECT o.channel, sum(o.chunks)::bigint AS chunks, sum(o.bytes)::bigint AS bytes, sum(o.dropped)::bigint AS dropped
  FROM job_output o WHERE o.job_id = $1::integer GROUP BY o.channel ORDER BY o.channel DESC

-- name: output_version
-- Version of the output stream of a job, as it is now; NULL if it has none. $1: name of the stream.
SELECT s.version FROM streams s WHERE s.stream = $1

-- name: open
-- A job that waits or runs, from what appends themselves keep up to date; columns as those of the shared query job.find.
-- For the moment in which the history does not know it yet. $1: id.
SELECT q.job_id AS id, q.company_id, q.run_template_id AS runtemplate_id, q.app_id, q.state, NULL::text AS outcome,
       NULL::integer AS exitcode, q.started_at AS begin, NULL::timestamptz AS "end", q.not_before AS schedule, q.due,
       q.schedule_type, q.executor, q.executor_id, NULL::text AS host, NULL::integer AS pid, q.launched_by,
       NULL::jsonb AS command, q.environment AS env, a.version AS app_version, NULL::text AS reason, NULL::integer AS signal,
       NULL::double precision AS duration, q.queued_at AS scheduled_at, NULL::timestamptz AS cancelled_at,
       NULL::jsonb AS stdout, NULL::jsonb AS stderr, NULL::text AS uuid, q.stream_version, t.name AS runtemplate_name,
       c.name AS company_name, c.slug AS company_slug, a.name AS app_name
  FROM job_queue q
  LEFT JOIN run_template t ON t.id = q.run_template_id
  LEFT JOIN company c ON c.id = q.company_id
  LEFT JOIN application a ON a.id = q.app_id
 WHERE q.job_id = $1::integer
