-- What happened on each day (UTC), by company. run_time in seconds, as a decimal: sums of it do not depend on their order.
CREATE TABLE dashboard_day (
    company_id integer          NOT NULL,
    day        date             NOT NULL,
    scheduled  bigint           NOT NULL,
    succeeded  bigint           NOT NULL,
    warned     bigint           NOT NULL,
    failed     bigint           NOT NULL,
    cancelled  bigint           NOT NULL,
    run_time   numeric          NOT NULL,
    PRIMARY KEY (company_id, day)
) WITH (fillfactor = 50);

-- How the jobs of each template ended.
CREATE TABLE run_template_outcomes (
    run_template_id integer PRIMARY KEY,
    company_id      integer NOT NULL,
    succeeded       bigint  NOT NULL,
    failed          bigint  NOT NULL
) WITH (fillfactor = 50);

-- Folds the life of jobs into dashboard_day and run_template_outcomes. Takes a batch in log order.
CREATE FUNCTION fold_dashboard(batch event[]) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO dashboard_day AS t (company_id, day, scheduled, succeeded, warned, failed, cancelled, run_time)
    SELECT b.company_id,
           left(coalesce(b.data->>'finished_at', b.data->>'cancelled_at', b.data->>'scheduled_at'), 10)::date,
           count(*) FILTER (WHERE b.type = 'JobScheduled'),
           count(*) FILTER (WHERE b.data->>'outcome' = 'success'),
           count(*) FILTER (WHERE b.data->>'outcome' = 'warning'),
           count(*) FILTER (WHERE b.data->>'outcome' NOT IN ('success', 'warning', 'cancelled')),
           count(*) FILTER (WHERE b.type = 'JobCancelled' OR b.data->>'outcome' = 'cancelled'),
           coalesce(sum((b.data->>'duration')::numeric), 0)
      FROM unnest(batch) b
     WHERE b.type IN ('JobScheduled', 'JobFinished', 'JobCancelled')
     GROUP BY 1, 2
    ON CONFLICT (company_id, day) DO UPDATE
       SET scheduled = t.scheduled + excluded.scheduled, succeeded = t.succeeded + excluded.succeeded,
           warned = t.warned + excluded.warned, failed = t.failed + excluded.failed,
           cancelled = t.cancelled + excluded.cancelled, run_time = t.run_time + excluded.run_time;

    INSERT INTO run_template_outcomes AS t (run_template_id, company_id, succeeded, failed)
    SELECT (b.data->>'run_template_id')::integer, b.company_id,
           count(*) FILTER (WHERE b.data->>'outcome' IN ('success', 'warning')),
           count(*) FILTER (WHERE b.data->>'outcome' NOT IN ('success', 'warning'))
      FROM unnest(batch) b
     WHERE b.type = 'JobFinished'
     GROUP BY 1, 2
    ON CONFLICT (run_template_id) DO UPDATE
       SET succeeded = t.succeeded + excluded.succeeded, failed = t.failed + excluded.failed;
END
$$;
