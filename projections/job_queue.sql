-- Jobs that wait or run. A job that has ended is not here.
CREATE TABLE job_queue (
    job_id          integer     PRIMARY KEY,
    company_id      integer     NOT NULL,
    run_template_id integer     NOT NULL,
    app_id          integer,
    due             timestamptz,
    not_before      timestamptz,
    priority        integer     NOT NULL DEFAULT 0,
    executor        text,
    state           text        NOT NULL,
    schedule_type   text,
    launched_by     text,
    environment     jsonb,
    executor_id     text,
    queued_at       timestamptz,
    started_at      timestamptz,
    stream_version  integer     NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX job_queue_next ON job_queue (executor, priority DESC, not_before, job_id) WHERE state = 'queued';
CREATE INDEX job_queue_company ON job_queue (company_id, state);
CREATE UNIQUE INDEX job_queue_due_key ON job_queue (run_template_id, due) WHERE due IS NOT NULL;

-- Folds the life of jobs into job_queue. Takes a batch in log order.
CREATE FUNCTION fold_job_queue(batch event[]) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    DELETE FROM job_queue q
     WHERE q.job_id = ANY (ARRAY(SELECT (b.data->>'job_id')::integer FROM unnest(batch) b
                                  WHERE b.type IN ('JobFinished', 'JobCancelled')));

    INSERT INTO job_queue AS q (job_id, company_id, run_template_id, app_id, due, not_before, priority, executor, state,
                                schedule_type, launched_by, environment, executor_id, queued_at, started_at, stream_version)
    SELECT j.job_id, j.company_id, j.run_template_id, (j.s->>'application_id')::integer, (j.s->>'due')::timestamptz,
           (j.s->>'not_before')::timestamptz, coalesce((j.s->>'priority')::integer, 0), j.s->>'executor',
           CASE WHEN j.t IS NULL THEN 'queued' ELSE 'running' END, j.s->>'schedule_type', j.s->>'launched_by',
           j.s->'environment', j.t->>'executor_id', (j.s->>'scheduled_at')::timestamptz, (j.t->>'started_at')::timestamptz,
           j.version
      FROM (
        SELECT (b.data->>'job_id')::integer AS job_id, b.company_id, (b.data->>'run_template_id')::integer AS run_template_id,
               (array_agg(b.data) FILTER (WHERE b.type = 'JobScheduled'))[1] AS s,
               (array_agg(b.data) FILTER (WHERE b.type = 'JobStarted'))[1] AS t,
               max(b.version) AS version
          FROM unnest(batch) b
         WHERE b.type IN ('JobScheduled', 'JobStarted', 'JobFinished', 'JobCancelled')
         GROUP BY 1, 2, 3
        HAVING bool_and(b.type IN ('JobScheduled', 'JobStarted'))) j
    ON CONFLICT (job_id) DO UPDATE
       SET state = 'running', executor_id = excluded.executor_id, started_at = excluded.started_at,
           stream_version = excluded.stream_version;
END
$$;
