-- Roles of one cluster. Run before the migrations, again and again without harm.
--   multiflexi_owner    owns every object; migrations, rebuilds and archiving run as it
--   multiflexi_app      web, REST and CLI; sees only the companies named in multiflexi.companies
--   multiflexi_daemon   scheduler, executor, projector, eventor, monitor; sees every company
--   multiflexi_auditor  reads everything, changes nothing
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['multiflexi_owner', 'multiflexi_app', 'multiflexi_daemon', 'multiflexi_auditor'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION
                WHEN duplicate_object OR unique_violation THEN
                    NULL; -- another database of this cluster made it meanwhile
            END;
        END IF;
        IF NOT pg_has_role(current_user, wanted, 'MEMBER') THEN
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
    EXECUTE format('GRANT CREATE ON DATABASE %I TO multiflexi_owner', current_database());
END
$$;
