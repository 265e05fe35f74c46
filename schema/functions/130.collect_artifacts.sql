-- Contents of files that are stored and deleted at the same time: whoever stores takes the lock of the company shared, whoever
-- deletes takes it alone.

-- Notes that a job is about to refer to a content, and tells whether it is stored already.
-- Takes: the company, the digest of the content, the job, the key under which it must be stored.
CREATE OR REPLACE FUNCTION hold_artifact(p_company integer, p_digest text, p_job integer, p_key bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('multiflexi.artifacts'), p_company);
    INSERT INTO artifact_use (company_id, digest, job_id) VALUES (p_company, p_digest, p_job) ON CONFLICT DO NOTHING;
    RETURN EXISTS (SELECT FROM artifact_content c WHERE c.company_id = p_company AND c.digest = p_digest AND c.key = p_key);
END
$$;

-- Whether a job refers to no further contents: its end is in the log and the read model of files has passed it, or it left the
-- queue so long ago that its events may be archived. Takes: the job, since when it was about to.
CREATE OR REPLACE FUNCTION artifacts_are_listed(p_job integer, p_since timestamptz) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN NOT EXISTS (SELECT FROM job_queue q WHERE q.job_id = p_job)
       AND (p_since < now() - interval '60 days'
            OR EXISTS (SELECT FROM events e, projections p
                        WHERE e.stream = 'job-' || p_job AND e.type = 'JobFinished' AND p.name = 'artifact'
                          AND (e.epoch, e.xid, e.position) <= (p.epoch, p.xid, p.position)));
END
$$;

-- Deletes contents of a company that nothing refers to: no file of a job that ended from a moment on, no job that is about to.
-- Takes: the company; that moment (NULL: all files count); how long a content was stored at least; how many at most.
-- Returns: how many were deleted, and their bytes as stored.
CREATE OR REPLACE FUNCTION collect_artifacts(
    p_company integer, p_before timestamptz, p_stored_for interval, p_limit integer
) RETURNS TABLE (contents bigint, bytes bigint) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('multiflexi.artifacts'), p_company);
    DELETE FROM artifact_use u WHERE u.company_id = p_company AND artifacts_are_listed(u.job_id, u.since);
    RETURN QUERY
        WITH gone AS (
            DELETE FROM artifact_content c
             WHERE c.company_id = p_company AND c.digest IN (
                   SELECT x.digest FROM artifact_content x
                    WHERE x.company_id = p_company AND x.stored_at < clock_timestamp() - p_stored_for
                      AND NOT EXISTS (SELECT FROM artifact a
                                       WHERE a.company_id = p_company AND a.digest = x.digest
                                         AND a.created_at >= coalesce(p_before, '-infinity'))
                      AND NOT EXISTS (SELECT FROM artifact_use u WHERE u.company_id = p_company AND u.digest = x.digest)
                    LIMIT p_limit)
            RETURNING octet_length(c.payload) AS length)
        SELECT count(*), coalesce(sum(g.length), 0)::bigint FROM gone g;
END
$$;
