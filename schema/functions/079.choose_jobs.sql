-- Chooses the jobs that may start now, as claim_jobs says. Called with the claim lock held.
-- Takes: kinds of executor, how many at most, the executor's labels, the moment. Returns: job ids, the first to start first.
-- What runs is counted once, not for each candidate; the plan is made once, not for each call.
CREATE OR REPLACE FUNCTION choose_jobs(p_executors text[], p_limit integer, p_labels text[], p_at timestamptz)
RETURNS SETOF integer LANGUAGE plpgsql STABLE SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    full_templates integer[];
    full_applications integer[];
    full_companies integer[];
    running_companies integer[];
    running_of_company bigint[];
    running_templates integer[];
    running_of_template bigint[];
    running_applications integer[];
    running_of_application bigint[];
BEGIN
    -- What runs is little; what is full or paused follows from it, and is passed over while the queue is scanned.
    WITH running AS MATERIALIZED (
        SELECT q.company_id, q.run_template_id, q.app_id, count(*) AS running
          FROM job_queue q WHERE q.state = 'running' GROUP BY 1, 2, 3
    ), companies AS (
        SELECT r.company_id AS id, sum(r.running)::bigint AS running FROM running r GROUP BY 1
    ), templates AS (
        SELECT r.run_template_id AS id, sum(r.running)::bigint AS running FROM running r GROUP BY 1
    ), applications AS (
        SELECT r.app_id AS id, sum(r.running)::bigint AS running FROM running r WHERE r.app_id IS NOT NULL GROUP BY 1
    )
    SELECT (SELECT array_agg(c.id) FROM companies c), (SELECT array_agg(c.running) FROM companies c),
           (SELECT array_agg(t.id) FROM templates t), (SELECT array_agg(t.running) FROM templates t),
           (SELECT array_agg(a.id) FROM applications a), (SELECT array_agg(a.running) FROM applications a)
      INTO running_companies, running_of_company, running_templates, running_of_template, running_applications,
           running_of_application;
    SELECT coalesce(array_agg(t.id), '{}') INTO full_templates
      FROM unnest(running_templates, running_of_template) r (id, running) JOIN run_template t ON t.id = r.id
     WHERE r.running >= CASE t.document->>'overlap_policy' WHEN 'allow' THEN coalesce((t.document->>'max_parallel')::integer, r.running + 1)
                        ELSE 1 END;
    SELECT coalesce(array_agg(a.id), '{}') INTO full_applications
      FROM application a LEFT JOIN unnest(running_applications, running_of_application) r (id, running) ON r.id = a.id
     -- In the words of the index of those that are paused or limited: there may be very many others.
     WHERE (a.document->>'paused' = 'true' OR a.document->>'max_parallel' IS NOT NULL)
       AND ((a.document->>'paused')::boolean OR r.running >= (a.document->>'max_parallel')::integer);
    SELECT coalesce(array_agg(c.id), '{}') INTO full_companies
      FROM company c LEFT JOIN unnest(running_companies, running_of_company) r (id, running) ON r.id = c.id
     WHERE (c.document->>'paused' = 'true' OR c.document->>'max_parallel' IS NOT NULL)
       AND ((c.document->>'paused')::boolean OR r.running >= (c.document->>'max_parallel')::integer);

    RETURN QUERY
    WITH RECURSIVE waiting (company_id) AS (
        (SELECT q.company_id FROM job_queue q WHERE q.state = 'queued' ORDER BY q.company_id LIMIT 1)
        UNION ALL
        SELECT (SELECT q.company_id FROM job_queue q WHERE q.state = 'queued' AND q.company_id > w.company_id
                 ORDER BY q.company_id LIMIT 1)
          FROM waiting w WHERE w.company_id IS NOT NULL
    ), heads AS (
        SELECT w.company_id, coalesce(b.running, 0) AS running, h.not_before
          FROM waiting w
          LEFT JOIN unnest(running_companies, running_of_company) b (company_id, running) ON b.company_id = w.company_id
         CROSS JOIN LATERAL (
            SELECT q.not_before FROM job_queue q
             WHERE q.state = 'queued' AND q.company_id = w.company_id AND q.not_before <= p_at AND q.executor = ANY (p_executors)
               AND NOT q.run_template_id = ANY (full_templates)
             ORDER BY q.priority DESC, q.not_before, q.job_id LIMIT 1) h
         WHERE w.company_id IS NOT NULL AND NOT w.company_id = ANY (full_companies)
         ORDER BY running, h.not_before LIMIT p_limit
    ), candidates AS MATERIALIZED (
        SELECT q.job_id, q.company_id, q.run_template_id, q.app_id, q.priority, q.not_before, h.running,
               row_number() OVER (PARTITION BY q.run_template_id ORDER BY q.priority DESC, q.not_before, q.job_id) AS of_template
          FROM heads h
         CROSS JOIN LATERAL (
            SELECT * FROM job_queue j
             WHERE j.state = 'queued' AND j.company_id = h.company_id AND j.not_before <= p_at AND j.executor = ANY (p_executors)
               AND NOT j.run_template_id = ANY (full_templates)
               AND (j.app_id IS NULL OR NOT j.app_id = ANY (full_applications))
               AND (j.labels IS NULL OR j.labels <@ to_jsonb(p_labels))
             ORDER BY j.priority DESC, j.not_before, j.job_id LIMIT p_limit * 4) q
    ), templates AS MATERIALIZED (
        SELECT t.id, CASE t.document->>'overlap_policy' WHEN 'allow'
                     THEN coalesce((t.document->>'max_parallel')::integer, 2147483647) - coalesce(r.running, 0) ELSE 1 END AS free
          FROM (SELECT DISTINCT n.run_template_id AS id FROM candidates n) d
          JOIN run_template t ON t.id = d.id
          LEFT JOIN unnest(running_templates, running_of_template) r (id, running) ON r.id = t.id
    ), within_template AS MATERIALIZED (
        SELECT n.*, row_number() OVER (PARTITION BY n.app_id ORDER BY n.priority DESC, n.not_before, n.job_id) AS of_application
          FROM candidates n JOIN templates t ON t.id = n.run_template_id
         WHERE n.of_template <= t.free
    ), applications AS MATERIALIZED (
        SELECT a.id, (a.document->>'max_parallel')::integer - coalesce(r.running, 0) AS free
          FROM (SELECT DISTINCT w.app_id AS id FROM within_template w) d
          JOIN application a ON a.id = d.id
          LEFT JOIN unnest(running_applications, running_of_application) r (id, running) ON r.id = a.id
    ), within_application AS (
        SELECT w.*, row_number() OVER (PARTITION BY w.company_id ORDER BY w.priority DESC, w.not_before, w.job_id) AS of_company
          FROM within_template w LEFT JOIN applications a ON a.id = w.app_id
         WHERE w.of_application <= coalesce(a.free, 2147483647)
    )
    SELECT w.job_id
      FROM within_application w LEFT JOIN company c ON c.id = w.company_id
     WHERE w.of_company <= coalesce((c.document->>'max_parallel')::integer, 2147483647) - w.running
     ORDER BY w.running + w.of_company, w.priority DESC, w.not_before, w.job_id
     LIMIT p_limit;
END
$$;

-- Chooses all jobs that may start now where there are few, room for all of them, and nothing that holds any of them back: nobody
-- to be fair to and nothing to count, so most jobs of a system that is not busy start without what choose_jobs must look at.
-- Takes what choose_jobs takes. Returns: job ids; NULL where it is for choose_jobs to say. Called with the claim lock held.
CREATE OR REPLACE FUNCTION few_jobs(p_executors text[], p_limit integer, p_labels text[], p_at timestamptz)
RETURNS integer[] LANGUAGE plpgsql STABLE SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN (
    WITH due AS MATERIALIZED (
        SELECT q.job_id, q.company_id, q.run_template_id, q.app_id, q.executor, q.labels
          FROM job_queue q WHERE q.state = 'queued' AND q.not_before <= p_at
         ORDER BY q.not_before LIMIT least(p_limit, 8) + 1
    )
    SELECT array_agg(d.job_id)
      FROM due d
      JOIN run_template t ON t.id = d.run_template_id
      LEFT JOIN application a ON a.id = d.app_id
      LEFT JOIN company c ON c.id = d.company_id
    HAVING count(*) = (SELECT count(*) FROM due) AND count(*) <= least(p_limit, 8)
       AND bool_and(d.executor = ANY (p_executors) AND (d.labels IS NULL OR d.labels <@ to_jsonb(p_labels))
           AND CASE t.document->>'overlap_policy'
               WHEN 'allow' THEN t.document->>'max_parallel' IS NULL
               ELSE (SELECT count(*) FROM due o WHERE o.run_template_id = d.run_template_id) = 1
                    AND NOT EXISTS (SELECT FROM job_queue r WHERE r.run_template_id = d.run_template_id AND r.state = 'running')
               END
           AND a.document->>'max_parallel' IS NULL AND NOT coalesce((a.document->>'paused')::boolean, false)
           AND c.document->>'max_parallel' IS NULL AND NOT coalesce((c.document->>'paused')::boolean, false)));
END
$$;
