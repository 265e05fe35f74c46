-- name: output
-- What a job wrote to each channel so far: chunks, bytes kept, bytes dropped, newest version of its output stream. $1: job id.
SELECT o.channel, o.chunks, o.bytes, o.dropped, o.last_version, o.last_at
  FROM job_output o WHERE o.job_id = $1::integer ORDER BY o.channel DESC

-- name: ahead
-- How many jobs wait that will be taken before this one. $1: job id.
SELECT count(*)
  FROM job_queue me
  JOIN job_queue other ON other.state = 'queued' AND other.job_id <> me.job_id
   AND (-other.priority, other.not_before, other.job_id) < (-me.priority, me.not_before, me.job_id)
 WHERE me.job_id = $1::integer AND me.state = 'queued'
