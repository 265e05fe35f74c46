-- Every job there ever was, with how it ended.
CREATE TABLE job (
    id             integer          PRIMARY KEY,
    company_id     integer          NOT NULL,
    runtemplate_id integer          NOT NULL,
    app_id         integer,
    uuid           text,
    app_version    text,
    schedule_type  text,
    due            timestamptz,
    not_before     timestamptz,
    scheduled_at   timestamptz,
    launched_by    text,
    executor       text,
    priority       integer,
    env            jsonb,
    executor_id    text,
    host           text,
    command        jsonb,
    started_at     timestamptz,
    finished_at    timestamptz,
    cancelled_at   timestamptz,
    outcome        text,
    exitcode       integer,
    signal         integer,
    pid            integer,
    reason         text,
    duration       double precision,
    stdout         jsonb,
    stderr         jsonb,
    stream_version integer          NOT NULL,
    state          text             GENERATED ALWAYS AS (
        CASE WHEN cancelled_at IS NOT NULL THEN 'cancelled' WHEN finished_at IS NOT NULL THEN 'finished'
             WHEN started_at IS NOT NULL THEN 'running' ELSE 'queued' END) STORED
) WITH (fillfactor = 80);
CREATE INDEX job_company ON job (company_id, id);
CREATE INDEX job_runtemplate ON job (runtemplate_id, id);
CREATE INDEX job_open ON job (state, id) WHERE finished_at IS NULL AND cancelled_at IS NULL;

-- Folds the life of jobs into job. Takes a batch in log order.
CREATE FUNCTION fold_job_history(batch event[]) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO job AS t (id, company_id, runtemplate_id, app_id, uuid, app_version, schedule_type, due, not_before,
                          scheduled_at, launched_by, executor, priority, env, executor_id, host, command, started_at,
                          finished_at, cancelled_at, outcome, exitcode, signal, pid, reason, duration, stdout, stderr,
                          stream_version)
    SELECT j.id, j.company_id, j.runtemplate_id, (j.s->>'application_id')::integer, j.s->>'uuid', j.s->>'application_version',
           j.s->>'schedule_type', (j.s->>'due')::timestamptz, (j.s->>'not_before')::timestamptz,
           (j.s->>'scheduled_at')::timestamptz, j.s->>'launched_by', j.s->>'executor', (j.s->>'priority')::integer,
           j.s->'environment', j.t->>'executor_id', j.t->>'host', j.f->'command', (j.t->>'started_at')::timestamptz,
           (j.f->>'finished_at')::timestamptz, (j.c->>'cancelled_at')::timestamptz, j.f->>'outcome',
           (j.f->>'exit_code')::integer, (j.f->>'signal')::integer, (j.f->>'pid')::integer,
           coalesce(j.f->>'reason', j.c->>'reason'), (j.f->>'duration')::double precision, j.f->'stdout', j.f->'stderr',
           j.version
      FROM (
        SELECT (b.data->>'job_id')::integer AS id, b.company_id, (b.data->>'run_template_id')::integer AS runtemplate_id,
               (array_agg(b.data) FILTER (WHERE b.type = 'JobScheduled'))[1] AS s,
               (array_agg(b.data) FILTER (WHERE b.type = 'JobStarted'))[1] AS t,
               (array_agg(b.data) FILTER (WHERE b.type = 'JobFinished'))[1] AS f,
               (array_agg(b.data) FILTER (WHERE b.type = 'JobCancelled'))[1] AS c,
               max(b.version) AS version
          FROM unnest(batch) b
         WHERE b.type IN ('JobScheduled', 'JobStarted', 'JobFinished', 'JobCancelled')
         GROUP BY 1, 2, 3) j
    ON CONFLICT (id) DO UPDATE
       SET executor_id = coalesce(excluded.executor_id, t.executor_id), host = coalesce(excluded.host, t.host),
           command = coalesce(excluded.command, t.command), started_at = coalesce(excluded.started_at, t.started_at),
           finished_at = coalesce(excluded.finished_at, t.finished_at),
           cancelled_at = coalesce(excluded.cancelled_at, t.cancelled_at), outcome = coalesce(excluded.outcome, t.outcome),
           exitcode = coalesce(excluded.exitcode, t.exitcode), signal = coalesce(excluded.signal, t.signal),
           pid = coalesce(excluded.pid, t.pid), reason = coalesce(excluded.reason, t.reason),
           duration = coalesce(excluded.duration, t.duration), stdout = coalesce(excluded.stdout, t.stdout),
           stderr = coalesce(excluded.stderr, t.stderr), stream_version = excluded.stream_version;
END
$$;
