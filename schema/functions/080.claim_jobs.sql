-- Claims queued jobs for an executor, fairly and within all limits: chooses, appends JobStarted to each, sets the leases, all in
-- one transaction. One claim at a time in the installation (an advisory lock for this short transaction), so limits are exact.
--
-- Fair: of the companies with something to start, those with the fewest running jobs first, then the one that waits longest;
-- within a company by priority, then by time. Never a job whose company, application or installation is paused, whose template
-- (one job unless it allows overlap), application or company is at its limit, or that needs a label which the executor lacks.
--
-- Takes: the executor's daemon id and host; the kinds of executor it serves; how many jobs at most; seconds that a lease lasts;
--   its labels; the moment (NULL: now; another one in simulations). Returns: each job with what is needed to run it.
-- Raises: serialization_failure as append_batch does: try again.
DROP FUNCTION IF EXISTS claim_jobs(text, text, text[], integer, double precision);
DROP FUNCTION IF EXISTS claim_jobs(text, text, text[], integer, double precision, text[]);
DROP FUNCTION IF EXISTS claim_jobs(text, text, text[], integer, double precision, text[], timestamptz);
CREATE FUNCTION claim_jobs(
    p_daemon text, p_host text, p_executors text[], p_limit integer, p_lease double precision, p_labels text[] DEFAULT '{}',
    p_at timestamptz DEFAULT NULL
) RETURNS TABLE (
    job_id integer, company_id integer, run_template_id integer, app_id integer, version integer, started_at timestamptz,
    environment jsonb, template_environment jsonb, definition jsonb, company_name text, company_slug text, zone text,
    task_id integer, attempt integer, limits jsonb, run_as text, company_environment jsonb, executor text,
    credentials jsonb
) LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    meta constant jsonb := '{"v": 1, "actor": "daemon:executor", "source": "executor"}';
    claimed integer[];
    paused boolean;
    current_epoch smallint;
    my_xid xid8;
    moment timestamptz;
    at timestamptz;
BEGIN
    -- A rebuild that swaps in a new queue holds off appends first, then takes the queue: in this order a claim waits for it, too.
    LOCK TABLE streams IN ROW EXCLUSIVE MODE;
    -- Most notifications are of jobs that start or end: nothing to wait for other claims for.
    IF NOT EXISTS (SELECT FROM job_queue q WHERE q.state = 'queued' AND q.not_before <= coalesce(p_at, clock_timestamp())) THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('multiflexi.claim_jobs', 0));
    at := coalesce(p_at, clock_timestamp());
    SELECT EXISTS (SELECT FROM system_state s WHERE s.paused), few_jobs(p_executors, p_limit, p_labels, at),
           (SELECT max(e.epoch) FROM log_epoch e)
      INTO paused, claimed, current_epoch;
    IF paused THEN
        RETURN;
    END IF;
    IF claimed IS NULL THEN
        claimed := ARRAY(SELECT c.job_id FROM choose_jobs(p_executors, p_limit, p_labels, at) c (job_id));
        IF claimed = '{}' THEN
            RETURN;
        END IF;
    END IF;
    my_xid := pg_current_xact_id();
    moment := clock_timestamp();
    -- One statement that does what append_batch, fold_job_queue and fold_task would do for JobStarted: a job that is claimed alone
    -- waits for nothing as long as for many statements to begin.
    -- Somebody may be cancelling one of the jobs at this moment: those are left alone. Streams are locked before rows of the queue,
    -- as every append does; and as this waits for neither, no two wait for each other.
    RETURN QUERY
    WITH held AS MATERIALIZED (
        SELECT s.stream, s.version, s.hash, greatest(moment, s.last_time) AS event_time, q.job_id, q.company_id, q.run_template_id,
               q.app_id, q.task_id, q.attempt, q.environment, q.executor,
               jsonb_build_object('job_id', q.job_id, 'company_id', q.company_id, 'run_template_id', q.run_template_id,
                   'executor_id', p_daemon, 'host', p_host, 'task_id', q.task_id,
                   'started_at', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) AS data
          FROM unnest(claimed) c (job_id)
          JOIN streams s ON s.stream = 'job-' || c.job_id
          JOIN job_queue q ON q.job_id = c.job_id
         WHERE q.state = 'queued' AND q.stream_version = s.version AND s.xid <= my_xid
         ORDER BY c.job_id
           FOR UPDATE OF s, q SKIP LOCKED
    ), moved AS (
        UPDATE streams AS s
           SET version = h.version + 1, xid = my_xid, last_time = h.event_time,
               hash = sha256(h.hash || event_digest(
                   h.stream, 'JobStarted', h.company_id, micros_of(h.event_time), h.data::text, meta::text, NULL))
          FROM held h
         WHERE s.stream = h.stream AND s.version = h.version
        RETURNING s.hash AS new_hash, h.*
    ), written AS (
        INSERT INTO events (epoch, xid, class, stream, version, type, company_id, time, data, meta, hash)
        SELECT current_epoch, my_xid, 2, m.stream, m.version + 1, 'JobStarted', m.company_id, m.event_time, m.data, meta, m.new_hash
          FROM moved m
    ), taken AS (
        UPDATE job_queue AS q
           SET state = 'running', executor_id = p_daemon, started_at = at, stream_version = m.version + 1
          FROM moved m
         WHERE q.job_id = m.job_id
    ), tried AS (
        UPDATE task AS t SET attempts = t.attempts + m.jobs, running_job_id = m.job_id
          FROM (SELECT n.task_id, count(*) AS jobs, max(n.job_id) AS job_id FROM moved n WHERE n.task_id IS NOT NULL
                 GROUP BY n.task_id ORDER BY n.task_id) m
         WHERE t.id = m.task_id
    ), leased AS (
        INSERT INTO job_leases AS l (job_id, company_id, daemon_id, host, version, expires_at)
        SELECT m.job_id, m.company_id, p_daemon, p_host, m.version + 1, clock_timestamp() + make_interval(secs => p_lease)
          FROM moved m
        ON CONFLICT (job_id) DO UPDATE
           SET daemon_id = excluded.daemon_id, host = excluded.host, version = excluded.version, pid = NULL, pid_start = NULL,
               command = NULL, expires_at = excluded.expires_at
    )
    SELECT m.job_id, m.company_id, m.run_template_id, m.app_id, m.version + 1, at, m.environment,
           t.document->'environment', a.document->'definition', c.name, c.slug,
           coalesce(t.document->>'time_zone', c.time_zone, 'UTC'), m.task_id, m.attempt, t.document->'limits',
           t.document->>'run_as', c.document->'environment', m.executor,
           CASE WHEN EXISTS (SELECT FROM run_template_credential r WHERE r.run_template_id = m.run_template_id)
                THEN credentials_of(m.run_template_id) END
      FROM moved m
      LEFT JOIN run_template t ON t.id = m.run_template_id
      LEFT JOIN application a ON a.id = m.app_id
      LEFT JOIN company c ON c.id = m.company_id;
END
$$;
