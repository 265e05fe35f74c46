-- What a new cluster of the embedded PostgreSQL gets, before any migration. Runs at every start; changes nothing then.
--
-- Roles without a login carry the rights (the migrations grant them). The logins of the application and of the daemons may only
-- take them on with SET ROLE: NOINHERIT, so that a connection that forgets to has no rights at all. Each daemon's login has its own
-- role and no other; multiflexi_daemon, which has the rights of all of them, is the owner's alone.

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['owner', 'app', 'scheduler', 'executor', 'projector', 'daemon', 'auditor'] LOOP
        IF to_regrole('multiflexi_' || wanted) IS NULL THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', 'multiflexi_' || wanted);
        END IF;
    END LOOP;
    IF to_regrole('multiflexi_owner_login') IS NULL THEN
        CREATE ROLE multiflexi_owner_login LOGIN;
    END IF;
    FOREACH wanted IN ARRAY ARRAY['app', 'scheduler', 'executor', 'projector'] LOOP
        IF to_regrole('multiflexi_' || wanted || '_login') IS NULL THEN
            EXECUTE format('CREATE ROLE %I LOGIN NOINHERIT', 'multiflexi_' || wanted || '_login');
        END IF;
        EXECUTE format('GRANT %I TO %I', 'multiflexi_' || wanted, 'multiflexi_' || wanted || '_login');
    END LOOP;
END
$$;

GRANT multiflexi_scheduler, multiflexi_executor, multiflexi_projector TO multiflexi_daemon;
GRANT multiflexi_owner, multiflexi_app, multiflexi_daemon, multiflexi_auditor TO multiflexi_owner_login;
GRANT multiflexi_auditor TO multiflexi_app_login;
-- Earlier versions ran the daemons by this login.
REVOKE multiflexi_daemon FROM multiflexi_app_login;

-- `status` names the connection that holds readers back, whoever it belongs to.
GRANT pg_read_all_stats TO multiflexi_owner;
