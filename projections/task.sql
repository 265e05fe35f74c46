-- Tasks: what was owed for each window of a template, and what became of it.
CREATE TABLE task (
    id                  integer     PRIMARY KEY,
    company_id          integer     NOT NULL,
    run_template_id     integer     NOT NULL,
    window_start        timestamptz,
    window_end          timestamptz,
    deadline            timestamptz,
    max_attempts        integer,
    allow_late          boolean,
    attempts            integer     NOT NULL DEFAULT 0,
    running_job_id      integer,
    fulfilled_by_job_id integer,
    fulfilled_at        timestamptz,
    ended_as            text,
    ended_at            timestamptz,
    reason              text,
    opened_at           timestamptz,
    stream_version      integer     NOT NULL DEFAULT 0,
    state               text        GENERATED ALWAYS AS (
        CASE WHEN ended_as IS NOT NULL THEN ended_as WHEN running_job_id IS NOT NULL THEN 'running' ELSE 'open' END) STORED
) WITH (fillfactor = 80);
-- A window becomes a task once, and with that a due time a job once.
CREATE UNIQUE INDEX task_window_key ON task (run_template_id, window_start);
CREATE INDEX task_company ON task (company_id, id);
CREATE INDEX task_open ON task (window_end) WHERE ended_as IS NULL;

-- Folds the life of tasks, and of the jobs that try them, into task. Takes a batch in log order.
-- Its plans are made when there may be no task yet and are kept when there are many: so none that scans all of them.
CREATE FUNCTION fold_task(batch event[]) RETURNS void LANGUAGE plpgsql SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    idle integer[];
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
            PERFORM fold_task(batch[part:removal.place - 1]);
            DELETE FROM task t WHERE t.company_id = removal.company_id AND t.ended_at < removal.before;
            part := removal.place + 1;
        END LOOP;
        PERFORM fold_task(batch[part:]);
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM (SELECT (unnest(batch)).data) b WHERE b.data->>'task_id' IS NOT NULL) THEN
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM (SELECT (unnest(batch)).type) b
                    WHERE b.type IN ('TaskFulfilled', 'TaskFailed', 'TaskMissed', 'JobStarted', 'JobFinished')) THEN
        -- What a scheduler appends: each task stands there once, so nothing is to be put together.
        INSERT INTO task AS t (id, company_id, run_template_id, window_start, window_end, deadline, max_attempts, allow_late,
                               opened_at, stream_version)
        SELECT (b.data->>'task_id')::integer, b.company_id, (b.data->>'run_template_id')::integer,
               (b.data->>'window_start')::timestamptz, (b.data->>'window_end')::timestamptz, (b.data->>'deadline')::timestamptz,
               (b.data->>'max_attempts')::integer, (b.data->>'allow_late')::boolean, (b.data->>'opened_at')::timestamptz, b.version
          FROM unnest(batch) b WHERE b.type = 'TaskOpened'
        ON CONFLICT (id) DO UPDATE
           SET window_start = excluded.window_start, window_end = excluded.window_end, deadline = excluded.deadline,
               max_attempts = excluded.max_attempts, allow_late = excluded.allow_late, opened_at = excluded.opened_at,
               stream_version = greatest(t.stream_version, excluded.stream_version);
        RETURN;
    END IF;
    -- running_job_id 0: the job that ran has ended, and none has begun since.
    WITH put AS (
        INSERT INTO task AS t (id, company_id, run_template_id, window_start, window_end, deadline, max_attempts, allow_late,
                               attempts, running_job_id, fulfilled_by_job_id, fulfilled_at, ended_as, ended_at, reason, opened_at,
                               stream_version)
        SELECT k.id, k.company_id, k.run_template_id, (k.o->>'window_start')::timestamptz, (k.o->>'window_end')::timestamptz,
               (k.o->>'deadline')::timestamptz, (k.o->>'max_attempts')::integer, (k.o->>'allow_late')::boolean, k.attempts,
               CASE k.moved WHEN 'JobStarted' THEN (k.m->>'job_id')::integer WHEN 'JobFinished' THEN 0 END,
               (k.e->>'job_id')::integer, (k.e->>'fulfilled_at')::timestamptz,
               CASE k.ended WHEN 'TaskFulfilled' THEN CASE WHEN (k.e->>'late')::boolean THEN 'fulfilled_late' ELSE 'fulfilled' END
                            WHEN 'TaskFailed' THEN 'failed' WHEN 'TaskMissed' THEN 'missed' END,
               coalesce(k.e->>'fulfilled_at', k.e->>'failed_at', k.e->>'missed_at')::timestamptz, k.e->>'reason',
               (k.o->>'opened_at')::timestamptz, coalesce(k.version, 0)
          FROM (
            SELECT g.id, g.company_id, g.run_template_id, g.attempts, g.version, (batch[g.o]).data AS o, (batch[g.e]).data AS e,
                   (batch[g.e]).type AS ended, (batch[g.m]).data AS m, (batch[g.m]).type AS moved
              FROM (
                SELECT (b.data->>'task_id')::integer AS id, min(b.company_id) AS company_id,
                       min((b.data->>'run_template_id')::integer) AS run_template_id,
                       count(*) FILTER (WHERE b.type = 'JobStarted') AS attempts,
                       max(b.version) FILTER (WHERE b.type LIKE 'Task%') AS version,
                       min(b.place) FILTER (WHERE b.type = 'TaskOpened') AS o,
                       min(b.place) FILTER (WHERE b.type IN ('TaskFulfilled', 'TaskFailed', 'TaskMissed')) AS e,
                       max(b.place) FILTER (WHERE b.type IN ('JobStarted', 'JobFinished')) AS m
                  FROM unnest(batch) WITH ORDINALITY
                           AS b (epoch, xid, position, stream, version, type, company_id, time, data, meta, place)
                 WHERE b.type IN ('TaskOpened', 'TaskFulfilled', 'TaskFailed', 'TaskMissed', 'JobStarted', 'JobFinished')
                   AND b.data->>'task_id' IS NOT NULL
                 GROUP BY 1) g
            OFFSET 0) k
         -- A job may end after its task was removed from the history: it brings none back.
         WHERE k.o IS NOT NULL OR EXISTS (SELECT FROM task t WHERE t.id = k.id)
         ORDER BY k.id -- appends that meet take their rows in the same order
        ON CONFLICT (id) DO UPDATE
           SET window_start = coalesce(t.window_start, excluded.window_start),
               window_end = coalesce(t.window_end, excluded.window_end), deadline = coalesce(t.deadline, excluded.deadline),
               max_attempts = coalesce(t.max_attempts, excluded.max_attempts),
               allow_late = coalesce(t.allow_late, excluded.allow_late), opened_at = coalesce(t.opened_at, excluded.opened_at),
               attempts = t.attempts + excluded.attempts,
               running_job_id = nullif(coalesce(excluded.running_job_id, t.running_job_id), 0),
               fulfilled_by_job_id = coalesce(t.fulfilled_by_job_id, excluded.fulfilled_by_job_id),
               fulfilled_at = coalesce(t.fulfilled_at, excluded.fulfilled_at), ended_as = coalesce(t.ended_as, excluded.ended_as),
               ended_at = coalesce(t.ended_at, excluded.ended_at), reason = coalesce(t.reason, excluded.reason),
               stream_version = greatest(t.stream_version, excluded.stream_version)
        RETURNING t.id, t.running_job_id
    )
    SELECT array_agg(p.id) FILTER (WHERE p.running_job_id = 0) INTO idle FROM put p;
    IF idle IS NOT NULL THEN
        UPDATE task SET running_job_id = NULL WHERE id = ANY (idle);
    END IF;
END
$$;
