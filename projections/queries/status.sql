-- name: projections
-- Where each projection stands: how far behind the newest visible event, in events (about) and seconds.
SELECT p.name, p.version, p.inline, p.epoch, p.xid, p.position, p.event_time, p.updated_at, p.rebuilt_at,
       CASE WHEN p.inline OR e.position IS NULL OR (e.epoch, e.xid, e.position) <= (p.epoch, p.xid, p.position) THEN 0
            ELSE greatest(e.position - p.position, 1) END AS lag,
       CASE WHEN p.inline OR e.position IS NULL OR (e.epoch, e.xid, e.position) <= (p.epoch, p.xid, p.position) THEN 0
            ELSE extract(epoch FROM clock_timestamp() - coalesce(p.event_time, e.time))::double precision END AS lag_seconds
  FROM projections p
  LEFT JOIN LATERAL (
      SELECT x.epoch, x.xid, x.position, x.time FROM events x ORDER BY x.epoch DESC, x.xid DESC, x.position DESC LIMIT 1) e ON true
 ORDER BY p.inline DESC, p.name

-- name: horizon
-- The session whose transaction holds back readers of the log, if one does: see log_horizon().
SELECT h.pid, h.login, h.application, h.state, h.seconds, h.query FROM log_horizon() h

-- name: daemons
-- Daemons and their last sign of life. running: jobs that an executor holds. lag_seconds: how far behind the kind is whose work it
-- does, NULL where that means nothing: read models (projector), the earliest due time (scheduler), the job that waits longest for
-- a place (executor).
WITH behind AS (
    SELECT 'scheduler' AS kind, extract(epoch FROM clock_timestamp() - min(u.next_due))::double precision AS seconds
      FROM due u WHERE u.next_due <= clock_timestamp()
    UNION ALL
    SELECT 'executor', extract(epoch FROM clock_timestamp() - min(q.not_before))::double precision
      FROM job_queue q WHERE q.state = 'queued' AND q.not_before <= clock_timestamp()
    UNION ALL
    SELECT 'projector', extract(epoch FROM clock_timestamp() - min(coalesce(p.event_time, e.time)))::double precision
      FROM projections p
     CROSS JOIN LATERAL (
        SELECT x.epoch, x.xid, x.position, x.time FROM events x ORDER BY x.epoch DESC, x.xid DESC, x.position DESC LIMIT 1) e
     WHERE NOT p.inline AND (e.epoch, e.xid, e.position) > (p.epoch, p.xid, p.position)
)
SELECT d.id, d.kind, d.host, d.pid, d.version, d.started_at, d.seen_at, d.detail,
       extract(epoch FROM clock_timestamp() - d.seen_at)::double precision AS silent_seconds,
       CASE WHEN d.kind = 'executor' THEN (SELECT count(*) FROM job_leases l WHERE l.daemon_id = d.id) END AS running,
       CASE WHEN d.kind IN ('scheduler', 'executor', 'projector') THEN greatest(coalesce(b.seconds, 0), 0) END AS lag_seconds
  FROM daemons d LEFT JOIN behind b ON b.kind = d.kind
 ORDER BY d.kind, d.id

-- name: skipped
-- How many events read models could not take, and when that was last.
SELECT s.projection, s.type, count(*) AS events, max(s.skipped_at) AS newest FROM skipped_events s GROUP BY 1, 2 ORDER BY 1, 2

-- name: totals
-- Size of the database in bytes, events and streams (about), newest tree head.
SELECT pg_database_size(current_database()) AS database_bytes,
       (SELECT last_value FROM event_position) AS events, (SELECT max(h.time) FROM tree_heads h) AS newest_tree_head,
       current_setting('server_version') AS server_version

-- name: oldest_waiting
-- The job that could have started longest ago and still waits, if one does.
SELECT q.job_id, q.company_id, q.run_template_id AS runtemplate_id, q.not_before,
       extract(epoch FROM clock_timestamp() - q.not_before)::double precision AS seconds
  FROM job_queue q
 WHERE q.state = 'queued' AND q.not_before <= clock_timestamp()
 ORDER BY q.not_before, q.job_id LIMIT 1

-- name: paused
-- What is paused: the installation, companies, applications. id is NULL for the installation.
SELECT 'installation' AS what, NULL::integer AS id, NULL::text AS name, s.changed_at AS since, s.reason FROM system_state s WHERE s.paused
UNION ALL
SELECT 'company', c.id, c.name, NULL, c.document->>'pause_reason' FROM company c WHERE c.removed_at IS NULL AND (c.document->>'paused')::boolean
UNION ALL
SELECT 'application', a.id, a.name, NULL, a.document->>'pause_reason' FROM application a WHERE a.removed_at IS NULL AND (a.document->>'paused')::boolean
