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
    WITH ended AS MATERIALIZED (
        SELECT b.company_id, b.data->>'run_template_id' AS run_template_id, b.type, b.data->>'outcome' AS outcome,
               left(b.data->>CASE b.type WHEN 'JobScheduled' THEN 'scheduled_at' WHEN 'JobFinished' THEN 'finished_at'
                                         ELSE 'cancelled_at' END, 10) AS day,
               (b.data->>'duration')::numeric AS duration
          FROM unnest(batch) b
         WHERE b.type IN ('JobScheduled', 'JobFinished', 'JobCancelled')
    ), days AS (
        INSERT INTO dashboard_day AS t (company_id, day, scheduled, succeeded, warned, failed, cancelled, run_time)
        SELECT e.company_id, e.day::date,
               count(*) FILTER (WHERE e.type = 'JobScheduled'),
               count(*) FILTER (WHERE e.outcome = 'success'),
               count(*) FILTER (WHERE e.outcome = 'warning'),
               count(*) FILTER (WHERE e.outcome NOT IN ('success', 'warning', 'cancelled')),
               count(*) FILTER (WHERE e.type = 'JobCancelled' OR e.outcome = 'cancelled'),
               coalesce(sum(e.duration), 0)
          FROM ended e
         GROUP BY e.company_id, e.day
        ON CONFLICT (company_id, day) DO UPDATE
           SET scheduled = t.scheduled + excluded.scheduled, succeeded = t.succeeded + excluded.succeeded,
               warned = t.warned + excluded.warned, failed = t.failed + excluded.failed,
               cancelled = t.cancelled + excluded.cancelled, run_time = t.run_time + excluded.run_time
    )
    INSERT INTO run_template_outcomes AS t (run_template_id, company_id, succeeded, failed)
    SELECT e.run_template_id::integer, min(e.company_id),
           count(*) FILTER (WHERE e.outcome IN ('success', 'warning')),
           count(*) FILTER (WHERE e.outcome NOT IN ('success', 'warning', 'cancelled'))
      FROM ended e
     WHERE e.type = 'JobFinished'
     GROUP BY e.run_template_id
    ON CONFLICT (run_template_id) DO UPDATE
       SET succeeded = t.succeeded + excluded.succeeded, failed = t.failed + excluded.failed;
END
$$;
