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
DECLARE
    removal record;
    part integer := 1;
BEGIN
    -- What ends after a removal in the same batch is not removed by it: the batch is folded in parts.
    IF EXISTS (SELECT FROM (SELECT (unnest(batch)).type) b WHERE b.type = 'HistoryRemoved') THEN
        FOR removal IN
            SELECT b.place::integer, b.company_id, (b.data->>'before')::timestamptz AS before
              FROM unnest(batch) WITH ORDINALITY
                       AS b (epoch, xid, position, stream, version, type, company_id, time, data, meta, place)
             WHERE b.type = 'HistoryRemoved' ORDER BY b.place
        LOOP
            PERFORM fold_job_history(batch[part:removal.place - 1]);
            DELETE FROM job t
             WHERE t.company_id = removal.company_id AND coalesce(t.finished_at, t.cancelled_at) < removal.before;
            part := removal.place + 1;
        END LOOP;
        PERFORM fold_job_history(batch[part:]);
        RETURN;
    END IF;
    WITH made AS (
        SELECT (coalesce(j.s, j.t, j.f, j.c)->>'job_id')::integer AS id, j.company_id,
               (coalesce(j.s, j.t, j.f, j.c)->>'run_template_id')::integer AS runtemplate_id,
               (j.s->>'application_id')::integer AS app_id, j.s->>'uuid' AS uuid, j.s->>'application_version' AS app_version,
               j.s->>'schedule_type' AS schedule_type, (j.s->>'due')::timestamptz AS due,
               (j.s->>'not_before')::timestamptz AS not_before, (j.s->>'scheduled_at')::timestamptz AS scheduled_at,
               j.s->>'launched_by' AS launched_by, j.s->>'executor' AS executor, (j.s->>'priority')::integer AS priority,
               j.s->'environment' AS env, j.t->>'executor_id' AS executor_id, j.t->>'host' AS host, j.f->'command' AS command,
               (j.t->>'started_at')::timestamptz AS started_at, (j.f->>'finished_at')::timestamptz AS finished_at,
               (j.c->>'cancelled_at')::timestamptz AS cancelled_at, j.f->>'outcome' AS outcome,
               (j.f->>'exit_code')::integer AS exitcode, (j.f->>'signal')::integer AS signal, (j.f->>'pid')::integer AS pid,
               coalesce(j.f->>'reason', j.c->>'reason') AS reason, (j.f->>'duration')::double precision AS duration,
               j.f->'stdout' AS stdout, j.f->'stderr' AS stderr, j.version AS stream_version, j.s IS NOT NULL AS fresh
          FROM (
            SELECT min(b.company_id) AS company_id,
                   (array_agg(b.data) FILTER (WHERE b.type = 'JobScheduled'))[1] AS s,
                   (array_agg(b.data) FILTER (WHERE b.type = 'JobStarted'))[1] AS t,
                   (array_agg(b.data) FILTER (WHERE b.type = 'JobFinished'))[1] AS f,
                   (array_agg(b.data) FILTER (WHERE b.type = 'JobCancelled'))[1] AS c,
                   max(b.version) AS version
              FROM unnest(batch) b
             WHERE b.type IN ('JobScheduled', 'JobStarted', 'JobFinished', 'JobCancelled')
             GROUP BY b.stream) j
    ), scheduled AS (
        -- A job is scheduled once, by its first event: its row cannot be there yet, and plain inserts are cheaper.
        INSERT INTO job (id, company_id, runtemplate_id, app_id, uuid, app_version, schedule_type, due, not_before, scheduled_at,
                         launched_by, executor, priority, env, executor_id, host, command, started_at, finished_at, cancelled_at,
                         outcome, exitcode, signal, pid, reason, duration, stdout, stderr, stream_version)
        SELECT m.id, m.company_id, m.runtemplate_id, m.app_id, m.uuid, m.app_version, m.schedule_type, m.due, m.not_before,
               m.scheduled_at, m.launched_by, m.executor, m.priority, m.env, m.executor_id, m.host, m.command, m.started_at,
               m.finished_at, m.cancelled_at, m.outcome, m.exitcode, m.signal, m.pid, m.reason, m.duration, m.stdout, m.stderr,
               m.stream_version
          FROM made m WHERE m.fresh
    )
    INSERT INTO job AS t (id, company_id, runtemplate_id, executor_id, host, command, started_at, finished_at, cancelled_at,
                          outcome, exitcode, signal, pid, reason, duration, stdout, stderr, stream_version)
    SELECT m.id, m.company_id, m.runtemplate_id, m.executor_id, m.host, m.command, m.started_at, m.finished_at, m.cancelled_at,
           m.outcome, m.exitcode, m.signal, m.pid, m.reason, m.duration, m.stdout, m.stderr, m.stream_version
      FROM made m WHERE NOT m.fresh
    ON CONFLICT (id) DO UPDATE
       SET executor_id = coalesce(excluded.executor_id, t.executor_id), host = coalesce(excluded.host, t.host),
           command = coalesce(excluded.command, t.command), started_at = coalesce(excluded.started_at, t.started_at),
           finished_at = coalesce(excluded.finished_at, t.finished_at),
           cancelled_at = coalesce(excluded.cancelled_at, t.cancelled_at), outcome = coalesce(excluded.outcome, t.outcome),
           exitcode = coalesce(excluded.exitcode, t.exitcode), signal = coalesce(excluded.signal, t.signal),
           pid = coalesce(excluded.pid, t.pid), reason = coalesce(excluded.reason, t.reason),
           duration = coalesce(excluded.duration, t.duration), stdout = coalesce(excluded.stdout, t.stdout),
           stderr = coalesce(excluded.stderr, t.stderr), stream_version = excluded.stream_version;

    IF EXISTS (SELECT FROM (SELECT (unnest(batch)).type) b WHERE b.type = 'JobChanged') THEN
        UPDATE job t
           SET not_before = coalesce((c.data->>'not_before')::timestamptz, t.not_before),
               executor = coalesce(c.data->>'executor', t.executor), priority = coalesce((c.data->>'priority')::integer, t.priority),
               schedule_type = coalesce(c.data->>'schedule_type', t.schedule_type),
               stream_version = greatest(t.stream_version, c.version)
          FROM (SELECT (b.data->>'job_id')::integer AS job_id, jsonb_object_agg(f.key, f.value ORDER BY b.version) AS data,
                       max(b.version) AS version
                  FROM unnest(batch) b, jsonb_each(b.data) f WHERE b.type = 'JobChanged' GROUP BY 1) c
         WHERE t.id = c.job_id;
    END IF;
END
$$;
