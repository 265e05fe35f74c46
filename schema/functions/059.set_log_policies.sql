-- Which events each daemon may append and read, and which keys it may use. The checks are of constants and of the row alone: what
-- they cost cannot be measured. Heads of streams may be read by all, as no index has their class; their class cannot be changed.
-- Takes and returns nothing; set_policies() calls it, after isolate().
CREATE OR REPLACE FUNCTION set_log_policies() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    target text;
BEGIN
    FOREACH target IN ARRAY ARRAY['events', 'streams'] LOOP
        EXECUTE format('ALTER POLICY by_role ON %I TO multiflexi_owner', target);
        EXECUTE format('DROP POLICY IF EXISTS scheduler_appends ON %I', target);
        EXECUTE format('DROP POLICY IF EXISTS executor_appends ON %I', target);
        EXECUTE format('DROP POLICY IF EXISTS projector_appends ON %I', target);
        -- What becomes due, and what of it was missed.
        EXECUTE format('CREATE POLICY scheduler_appends ON %I FOR INSERT TO multiflexi_scheduler WITH CHECK (class = 2)', target);
        -- The life of jobs, and what they write.
        EXECUTE format('CREATE POLICY executor_appends ON %I FOR INSERT TO multiflexi_executor WITH CHECK (class IN (2, 3))', target);
        -- What was removed because it was over.
        EXECUTE format('CREATE POLICY projector_appends ON %I FOR INSERT TO multiflexi_projector
                            WITH CHECK (class = 1 AND starts_with(stream, ''retention-''))', target);
    END LOOP;
    DROP POLICY IF EXISTS scheduler_sees ON events;
    DROP POLICY IF EXISTS executor_reads ON events;
    DROP POLICY IF EXISTS projector_reads ON events;
    -- An append is told its place, for which it must see what it has just written.
    CREATE POLICY scheduler_sees ON events FOR SELECT TO multiflexi_scheduler USING (class = 2);
    CREATE POLICY executor_reads ON events FOR SELECT TO multiflexi_executor
        USING (class = 2 OR class = 3 AND xid = pg_current_xact_id_if_assigned());
    CREATE POLICY projector_reads ON events FOR SELECT TO multiflexi_projector USING (true);

    DROP POLICY IF EXISTS daemons_read ON streams;
    DROP POLICY IF EXISTS scheduler_moves ON streams;
    DROP POLICY IF EXISTS executor_moves ON streams;
    DROP POLICY IF EXISTS projector_moves ON streams;
    CREATE POLICY daemons_read ON streams FOR SELECT TO multiflexi_scheduler, multiflexi_executor, multiflexi_projector USING (true);
    CREATE POLICY scheduler_moves ON streams FOR UPDATE TO multiflexi_scheduler USING (true) WITH CHECK (class = 2);
    CREATE POLICY executor_moves ON streams FOR UPDATE TO multiflexi_executor USING (true) WITH CHECK (class IN (2, 3));
    CREATE POLICY projector_moves ON streams FOR UPDATE TO multiflexi_projector
        USING (true) WITH CHECK (class = 1 AND starts_with(stream, 'retention-'));

    ALTER POLICY by_role ON data_keys TO multiflexi_owner;
    DROP POLICY IF EXISTS executor_uses ON data_keys;
    DROP POLICY IF EXISTS projector_destroys ON data_keys;
    -- No keys of people.
    CREATE POLICY executor_uses ON data_keys TO multiflexi_executor
        USING (split_part(owner, ':', 1) = ANY (ARRAY['output', 'artifact', 'credentials', 'environment']))
        WITH CHECK (split_part(owner, ':', 1) = ANY (ARRAY['output', 'artifact', 'credentials', 'environment']));
    CREATE POLICY projector_destroys ON data_keys TO multiflexi_projector USING (true);
END
$$;
