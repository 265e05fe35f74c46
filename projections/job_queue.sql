-- Jobs that wait or run. A job that has ended is not here.
CREATE TABLE job_queue (
    job_id              integer     PRIMARY KEY,
    company_id          integer     NOT NULL,
    run_template_id     integer     NOT NULL,
    app_id              integer,
    due                 timestamptz,
    not_before          timestamptz,
    priority            integer     NOT NULL DEFAULT 0,
    executor            text,
    labels              jsonb,
    state               text        NOT NULL,
    schedule_type       text,
    launched_by         text,
    environment         jsonb,
    task_id             integer,
    attempt             integer,
    executor_id         text,
    queued_at           timestamptz,
    started_at          timestamptz,
    cancel_requested_at timestamptz,
    cancel_reason       text,
    stream_version      integer     NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX job_queue_fair ON job_queue (company_id, priority DESC, not_before, job_id) WHERE state = 'queued';
CREATE INDEX job_queue_start ON job_queue (not_before) WHERE state = 'queued';
CREATE INDEX job_queue_running ON job_queue (company_id, run_template_id) WHERE state = 'running';
-- Also how the jobs of a template are found, those that nobody's due time asked for among them.
CREATE UNIQUE INDEX job_queue_due_key ON job_queue (run_template_id, due);

-- Folds the life of jobs into job_queue. Takes a batch in log order.
-- Its plans are made when the queue may be empty and are kept when it is not: so none that scans all of it.
CREATE FUNCTION fold_job_queue(batch event[]) RETURNS void LANGUAGE plpgsql SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    ended integer[] := ARRAY(SELECT (b.data->>'job_id')::integer FROM unnest(batch) b
                              WHERE b.type IN ('JobFinished', 'JobCancelled'));
BEGIN
    IF ended <> '{}' THEN
        DELETE FROM job_queue q WHERE q.job_id = ANY (ended);
        -- What an executor appends: ends of jobs, with their last output.
        IF NOT EXISTS (SELECT FROM (SELECT (unnest(batch)).type) b
                        WHERE b.type IN ('JobScheduled', 'JobChanged', 'JobStarted', 'JobCancelRequested')) THEN
            RETURN;
        END IF;
    END IF;

    IF NOT EXISTS (SELECT FROM (SELECT (unnest(batch)).type) b
                    WHERE b.type IN ('JobChanged', 'JobStarted', 'JobCancelRequested', 'JobFinished', 'JobCancelled')) THEN
        -- What a scheduler appends: each job stands there once, so nothing is to be put together.
        INSERT INTO job_queue AS q (job_id, company_id, run_template_id, app_id, due, not_before, priority, executor, labels, state,
                                    schedule_type, launched_by, environment, task_id, attempt, queued_at, stream_version)
        SELECT (b.data->>'job_id')::integer, b.company_id, (b.data->>'run_template_id')::integer,
               (b.data->>'application_id')::integer, (b.data->>'due')::timestamptz, (b.data->>'not_before')::timestamptz,
               coalesce((b.data->>'priority')::integer, 0), b.data->>'executor', b.data->'labels', 'queued',
               b.data->>'schedule_type', b.data->>'launched_by', b.data->'environment', (b.data->>'task_id')::integer,
               (b.data->>'attempt')::integer, (b.data->>'scheduled_at')::timestamptz, b.version
          FROM unnest(batch) b WHERE b.type = 'JobScheduled'
        ON CONFLICT (job_id) DO UPDATE SET stream_version = excluded.stream_version;
        RETURN;
    END IF;

    INSERT INTO job_queue AS q (job_id, company_id, run_template_id, app_id, due, not_before, priority, executor, labels, state,
                                schedule_type, launched_by, environment, task_id, attempt, executor_id, queued_at, started_at,
                                cancel_requested_at, cancel_reason, stream_version)
    SELECT (coalesce(j.s, j.t, j.c)->>'job_id')::integer, j.company_id, (coalesce(j.s, j.t, j.c)->>'run_template_id')::integer,
           (j.s->>'application_id')::integer, (j.s->>'due')::timestamptz, (j.s->>'not_before')::timestamptz,
           coalesce((j.s->>'priority')::integer, 0), j.s->>'executor', j.s->'labels',
           CASE WHEN j.t IS NULL THEN 'queued' ELSE 'running' END, j.s->>'schedule_type', j.s->>'launched_by',
           j.s->'environment', (j.s->>'task_id')::integer, (j.s->>'attempt')::integer, j.t->>'executor_id',
           (j.s->>'scheduled_at')::timestamptz, (j.t->>'started_at')::timestamptz, (j.c->>'requested_at')::timestamptz,
           j.c->>'reason', j.version
      FROM (
        SELECT k.company_id, k.version, (batch[k.s]).data AS s, (batch[k.t]).data AS t, (batch[k.c]).data AS c
          FROM (
            SELECT min(b.company_id) AS company_id, max(b.version) AS version,
                   max(b.place) FILTER (WHERE b.type = 'JobScheduled') AS s,
                   max(b.place) FILTER (WHERE b.type = 'JobStarted') AS t,
                   min(b.place) FILTER (WHERE b.type = 'JobCancelRequested') AS c
              FROM unnest(batch) WITH ORDINALITY AS b (epoch, xid, position, stream, version, type, company_id, time, data, meta, place)
             WHERE b.type IN ('JobScheduled', 'JobStarted', 'JobCancelRequested', 'JobFinished', 'JobCancelled')
             GROUP BY b.stream
            HAVING NOT bool_or(b.type IN ('JobFinished', 'JobCancelled'))) k
        OFFSET 0) j
    ON CONFLICT (job_id) DO UPDATE
       SET state = CASE WHEN excluded.executor_id IS NULL THEN q.state ELSE 'running' END,
           executor_id = coalesce(excluded.executor_id, q.executor_id), started_at = coalesce(excluded.started_at, q.started_at),
           cancel_requested_at = coalesce(q.cancel_requested_at, excluded.cancel_requested_at),
           cancel_reason = CASE WHEN q.cancel_requested_at IS NULL THEN excluded.cancel_reason ELSE q.cancel_reason END,
           stream_version = excluded.stream_version;

    -- Only a job that waits is changed, so what else is in the batch of it came before, or does not touch what it changed.
    IF EXISTS (SELECT FROM (SELECT (unnest(batch)).type) b WHERE b.type = 'JobChanged') THEN
        UPDATE job_queue q
           SET not_before = coalesce((c.data->>'not_before')::timestamptz, q.not_before),
               executor = coalesce(c.data->>'executor', q.executor), priority = coalesce((c.data->>'priority')::integer, q.priority),
               schedule_type = coalesce(c.data->>'schedule_type', q.schedule_type),
               stream_version = greatest(q.stream_version, c.version)
          FROM (SELECT (b.data->>'job_id')::integer AS job_id, jsonb_object_agg(f.key, f.value ORDER BY b.version) AS data,
                       max(b.version) AS version
                  FROM unnest(batch) b, jsonb_each(b.data) f WHERE b.type = 'JobChanged' GROUP BY 1) c
         WHERE q.job_id = c.job_id;
    END IF;
END
$$;
