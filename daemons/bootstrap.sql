-- What a new cluster of the embedded PostgreSQL gets, before any migration. Runs at every start; changes nothing then.
--
-- Roles without a login carry the rights (the migrations grant them). The application's login may only take them on with
-- SET ROLE: NOINHERIT, so that a connection that forgets to has no rights at all.

DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['multiflexi_owner', 'multiflexi_app', 'multiflexi_daemon', 'multiflexi_auditor']
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
        END IF;
    END LOOP;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'multiflexi_owner_login') THEN
        CREATE ROLE multiflexi_owner_login LOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'multiflexi_app_login') THEN
        CREATE ROLE multiflexi_app_login LOGIN NOINHERIT;
    END IF;
END
$$;

GRANT multiflexi_owner, multiflexi_app, multiflexi_daemon, multiflexi_auditor TO multiflexi_owner_login;
GRANT multiflexi_app, multiflexi_daemon, multiflexi_auditor TO multiflexi_app_login;

-- `status` names the connection that holds readers back, whoever it belongs to.
GRANT pg_read_all_stats TO multiflexi_owner;
