-- name: skipped
-- Events that read models could not take, by read model and type.
SELECT s.projection, s.type, count(*) AS events, max(s.skipped_at) AS newest FROM skipped_events s GROUP BY 1, 2 ORDER BY 1, 2 LIMIT 100

-- name: running
-- How many jobs run on each executor.
SELECT q.executor_id, count(*) AS jobs FROM job_queue q WHERE q.state = 'running' GROUP BY 1
