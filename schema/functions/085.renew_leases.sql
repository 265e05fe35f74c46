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
