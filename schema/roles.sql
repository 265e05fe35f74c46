-- Roles of one cluster. Run before the migrations, again and again without harm.
--   multiflexi_owner      owns every object; migrations, rebuilds, archiving and the rotation of the master key run as it
--   multiflexi_app        web, REST and CLI; sees only the companies named in multiflexi.companies
--   multiflexi_scheduler  the scheduler
--   multiflexi_executor   executors
--   multiflexi_projector  the projector
--   multiflexi_daemon     a member of those three: a login that is granted it can run any daemon
--   multiflexi_auditor    reads everything, changes nothing
-- What each daemon may do is in functions/058.daemon_rights.sql.
DO $$
DECLARE
    -- From PostgreSQL 16 on, who makes a role is a member of it but may not take it on.
    how constant text := CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END;
    daemons constant text[] := ARRAY['multiflexi_scheduler', 'multiflexi_executor', 'multiflexi_projector'];
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY daemons || ARRAY['multiflexi_owner', 'multiflexi_app', 'multiflexi_daemon', 'multiflexi_auditor'] LOOP
        IF to_regrole(wanted) IS NULL THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION
                WHEN duplicate_object OR unique_violation THEN
                    NULL; -- another database of this cluster made it meanwhile
            END;
        END IF;
    END LOOP;
    -- Logins that ran the daemons before each had a role of its own are members of this one: they go on running them.
    FOREACH wanted IN ARRAY daemons LOOP
        IF NOT pg_has_role('multiflexi_daemon', wanted, how) THEN
            EXECUTE format('GRANT %I TO multiflexi_daemon', wanted);
        END IF;
    END LOOP;
    FOREACH wanted IN ARRAY ARRAY['multiflexi_owner', 'multiflexi_app', 'multiflexi_daemon', 'multiflexi_auditor'] LOOP
        IF NOT pg_has_role(current_user, wanted, how) THEN
            EXECUTE format('GRANT %I TO %I', wanted, current_user);
        END IF;
    END LOOP;
    BEGIN
        -- So that status can name the session that holds back readers of the log.
        GRANT pg_read_all_stats TO multiflexi_owner;
    EXCEPTION
        WHEN insufficient_privilege THEN
            RAISE NOTICE 'multiflexi_owner is not a member of pg_read_all_stats: status cannot name who holds back readers';
    END;
    IF NOT has_database_privilege('multiflexi_owner', current_database(), 'CREATE') THEN
        EXECUTE format('GRANT CREATE ON DATABASE %I TO multiflexi_owner', current_database());
    END IF;
END
$$;
