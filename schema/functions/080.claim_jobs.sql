-- Claims queued jobs for an executor: locks them past those that others are claiming, appends JobStarted to each, sets the
-- leases, all in one transaction.
-- Takes: the executor's daemon id and host; the kinds of executor it serves; how many jobs at most; seconds that a lease lasts.
-- Returns: each job with what is needed to run it.
-- Raises: serialization_failure as append_batch does: try again.
CREATE OR REPLACE FUNCTION claim_jobs(
    p_daemon text, p_host text, p_executors text[], p_limit integer, p_lease double precision
) RETURNS TABLE (
    job_id integer, company_id integer, run_template_id integer, app_id integer, version integer, started_at timestamptz,
    environment jsonb, template_environment jsonb, definition jsonb, company_name text, company_slug text, zone text
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    claimed integer[];
    companies integer[];
    templates integer[];
    versions integer[];
    data jsonb[];
    meta jsonb;
    n integer;
    at timestamptz := clock_timestamp();
    started integer[];
BEGIN
    SELECT array_agg(q.job_id), array_agg(q.company_id), array_agg(q.run_template_id), array_agg(q.stream_version)
      INTO claimed, companies, templates, versions
      FROM (SELECT c.job_id, c.company_id, c.run_template_id, c.stream_version FROM job_queue c
             WHERE c.state = 'queued' AND c.executor = ANY (p_executors) AND c.not_before <= at
             ORDER BY c.priority DESC, c.not_before, c.job_id
             LIMIT p_limit FOR UPDATE SKIP LOCKED) q;
    n := cardinality(claimed);
    IF n IS NULL THEN
        RETURN;
    END IF;
    SELECT array_agg(jsonb_build_object('job_id', c.job_id, 'company_id', c.company, 'run_template_id', c.template,
                         'executor_id', p_daemon, 'host', p_host,
                         'started_at', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')) ORDER BY c.ordinal)
      INTO data
      FROM unnest(claimed, companies, templates) WITH ORDINALITY AS c (job_id, company, template, ordinal);
    meta := jsonb_build_object('v', 1, 'actor', 'daemon:executor', 'source', 'executor');
    SELECT array_agg(claimed[a.entry]) INTO started
      FROM append_batch(
               ARRAY(SELECT generate_series(1, n)), ARRAY(SELECT 'job-' || j FROM unnest(claimed) j),
               array_fill(2::smallint, ARRAY[n]), companies, versions, array_fill(1, ARRAY[n]),
               ARRAY(SELECT generate_series(1, n)), array_fill(1, ARRAY[n]), array_fill('JobStarted'::text, ARRAY[n]), data,
               array_fill(meta, ARRAY[n]), array_fill(NULL::bytea, ARRAY[n]), ARRAY['fold_job_queue'], NULL, NULL) a
     WHERE a.outcome = 'appended';
    INSERT INTO job_leases AS l (job_id, company_id, daemon_id, host, version, expires_at)
    SELECT c.job_id, c.company, p_daemon, p_host, c.version + 1, at + make_interval(secs => p_lease)
      FROM unnest(claimed, companies, versions) AS c (job_id, company, version)
     WHERE c.job_id = ANY (started)
    ON CONFLICT (job_id) DO UPDATE
       SET daemon_id = excluded.daemon_id, host = excluded.host, version = excluded.version, pid = NULL, pid_start = NULL,
           command = NULL, expires_at = excluded.expires_at;
    RETURN QUERY
        SELECT q.job_id, q.company_id, q.run_template_id, q.app_id, q.stream_version, at, q.environment,
               t.document->'environment', a.document->'definition', c.name, c.slug,
               coalesce(t.document->>'time_zone', c.time_zone, 'UTC')
          FROM job_queue q
          LEFT JOIN run_template t ON t.id = q.run_template_id
          LEFT JOIN application a ON a.id = q.app_id
          LEFT JOIN company c ON c.id = q.company_id
         WHERE q.job_id = ANY (started);
END
$$;

-- Renews the leases of an executor. Takes its daemon id, seconds that a lease lasts, the jobs it still runs; returns the jobs
-- among them whose lease it has lost.
CREATE OR REPLACE FUNCTION renew_leases(p_daemon text, p_lease double precision, p_jobs integer[])
RETURNS SETOF integer LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
        WITH renewed AS (
            UPDATE job_leases l SET expires_at = clock_timestamp() + make_interval(secs => p_lease)
             WHERE l.job_id = ANY (p_jobs) AND l.daemon_id = p_daemon
            RETURNING l.job_id
        )
        SELECT j FROM unnest(p_jobs) j WHERE j NOT IN (SELECT r.job_id FROM renewed r);
END
$$;
