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
) LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    claimed integer[];
    companies integer[];
    templates integer[];
    tasks integer[];
    versions integer[];
    data jsonb[];
    n integer;
    at timestamptz;
    started integer[];
BEGIN
    -- A rebuild that swaps in a new queue holds off appends first, then takes the queue: in this order a claim waits for it, too.
    LOCK TABLE streams IN ROW EXCLUSIVE MODE;
    -- Most notifications are of jobs that start or end: nothing to wait for other claims for.
    IF NOT EXISTS (SELECT FROM job_queue q WHERE q.state = 'queued' AND q.not_before <= coalesce(p_at, clock_timestamp())) THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('multiflexi.claim_jobs', 0));
    at := coalesce(p_at, clock_timestamp());
    IF EXISTS (SELECT FROM system_state s WHERE s.paused) THEN
        RETURN;
    END IF;
    SELECT array_agg(c.job_id) INTO claimed FROM choose_jobs(p_executors, p_limit, p_labels, at) c (job_id);
    IF claimed IS NULL THEN
        RETURN;
    END IF;
    -- Somebody may be cancelling one of them at this moment: those are left alone. Streams are locked before rows of the queue, as
    -- every append does; the other way round two would wait for each other.
    SELECT array_agg(split_part(l.stream, '-', 2)::integer) INTO claimed
      FROM (SELECT s.stream FROM streams s WHERE s.stream = ANY (ARRAY(SELECT 'job-' || j FROM unnest(claimed) j))
             ORDER BY s.stream FOR UPDATE SKIP LOCKED) l;
    SELECT array_agg(q.job_id), array_agg(q.company_id), array_agg(q.run_template_id), array_agg(q.task_id),
           array_agg(q.stream_version)
      INTO claimed, companies, templates, tasks, versions
      FROM (SELECT * FROM job_queue c WHERE c.job_id = ANY (claimed) AND c.state = 'queued' ORDER BY c.job_id
               FOR UPDATE SKIP LOCKED) q;
    n := cardinality(claimed);
    IF n IS NULL THEN
        RETURN;
    END IF;
    SELECT array_agg(jsonb_build_object('job_id', c.job_id, 'company_id', c.company, 'run_template_id', c.template,
                         'executor_id', p_daemon, 'host', p_host, 'task_id', c.task,
                         'started_at', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) ORDER BY c.ordinal)
      INTO data
      FROM unnest(claimed, companies, templates, tasks) WITH ORDINALITY AS c (job_id, company, template, task, ordinal);
    SELECT array_agg(claimed[a.entry]) INTO started
      FROM append_batch(
               ARRAY(SELECT generate_series(1, n)), ARRAY(SELECT 'job-' || j FROM unnest(claimed) j),
               array_fill(2::smallint, ARRAY[n]), companies, versions, array_fill(1, ARRAY[n]),
               ARRAY(SELECT generate_series(1, n)), array_fill(1, ARRAY[n]), array_fill('JobStarted'::text, ARRAY[n]), data,
               array_fill(jsonb_build_object('v', 1, 'actor', 'daemon:executor', 'source', 'executor'), ARRAY[n]),
               array_fill(NULL::bytea, ARRAY[n]), ARRAY['fold_job_queue', 'fold_task'], NULL, NULL) a
     WHERE a.outcome = 'appended';
    INSERT INTO job_leases AS l (job_id, company_id, daemon_id, host, version, expires_at)
    SELECT c.job_id, c.company, p_daemon, p_host, c.version + 1, clock_timestamp() + make_interval(secs => p_lease)
      FROM unnest(claimed, companies, versions) AS c (job_id, company, version)
     WHERE c.job_id = ANY (started)
    ON CONFLICT (job_id) DO UPDATE
       SET daemon_id = excluded.daemon_id, host = excluded.host, version = excluded.version, pid = NULL, pid_start = NULL,
           command = NULL, expires_at = excluded.expires_at;
    RETURN QUERY
        SELECT q.job_id, q.company_id, q.run_template_id, q.app_id, q.stream_version, at, q.environment,
               t.document->'environment', a.document->'definition', c.name, c.slug,
               coalesce(t.document->>'time_zone', c.time_zone, 'UTC'), q.task_id, q.attempt, t.document->'limits',
               t.document->>'run_as', c.document->'environment', q.executor, credentials_of(q.run_template_id)
          FROM job_queue q
          LEFT JOIN run_template t ON t.id = q.run_template_id
          LEFT JOIN application a ON a.id = q.app_id
          LEFT JOIN company c ON c.id = q.company_id
         WHERE q.job_id = ANY (started);
END
$$;
