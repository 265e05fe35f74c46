-- What each daemon may do: of tables, sequences and functions by name, the role (without multiflexi_) and its rights. What is not
-- here, no daemon may do, but call functions, which run as who calls them; of functions that are here, nobody else may do that.
-- docs/database-roles.md says why; a test compares it with the catalogue.
-- Takes nothing; returns a row for each name and role.
CREATE OR REPLACE FUNCTION daemon_rights() RETURNS TABLE (name text, role text, rights text) LANGUAGE sql STABLE AS $$
VALUES
    -- The log. Which classes and streams each may append to: see set_log_policies().
    -- An append is told its place, which takes the right to read that much.
    ('events', 'scheduler', 'SELECT (stream, version, xid, position), INSERT'),
    ('events', 'executor', 'SELECT, INSERT'),
    ('events', 'projector', 'SELECT (tableoid, epoch, xid, position, class, stream, version, type, company_id, time, data, meta, hash), INSERT'),
    ('streams', 'scheduler', 'SELECT, INSERT, UPDATE (version, hash, xid, last_time)'),
    ('streams', 'executor', 'SELECT, INSERT, UPDATE (version, hash, xid, last_time)'),
    ('streams', 'projector', 'SELECT, INSERT, UPDATE (version, hash, xid, last_time)'),
    ('event_position', 'scheduler', 'USAGE'),
    ('event_position', 'executor', 'USAGE'),
    ('event_position', 'projector', 'USAGE, SELECT'),
    ('log_epoch', 'scheduler', 'SELECT'),
    ('log_epoch', 'executor', 'SELECT'),
    ('log_epoch', 'projector', 'SELECT'),
    ('idempotency_keys', 'scheduler', 'SELECT'),
    ('idempotency_keys', 'executor', 'SELECT'),
    ('idempotency_keys', 'projector', 'SELECT, INSERT, DELETE'),
    -- Keys.
    ('master_keys', 'scheduler', 'SELECT'),
    ('master_keys', 'executor', 'SELECT, INSERT'),
    ('master_keys', 'projector', 'SELECT, INSERT'),
    ('data_keys', 'executor', 'SELECT, INSERT'),
    ('data_keys', 'projector', 'SELECT (id, owner, company_id), DELETE'),
    ('signing_keys', 'projector', 'SELECT, INSERT'),
    -- Evidence.
    ('tree_heads', 'projector', 'SELECT, INSERT'),
    ('tree_sizes', 'projector', 'SELECT, INSERT'),
    ('tree_leaves', 'projector', 'SELECT, INSERT'),
    ('tree_edges', 'projector', 'SELECT, INSERT, UPDATE'),
    ('archived_partitions', 'projector', 'SELECT'),
    -- Signs of life, leases, files.
    ('daemons', 'scheduler', 'SELECT, INSERT, UPDATE, DELETE'),
    ('daemons', 'executor', 'SELECT, INSERT, UPDATE, DELETE'),
    ('daemons', 'projector', 'SELECT, INSERT, UPDATE, DELETE'),
    ('job_leases', 'executor', 'SELECT, INSERT, UPDATE, DELETE'),
    ('artifact_content', 'executor', 'SELECT, INSERT, UPDATE'),
    ('artifact_content', 'projector', 'SELECT, DELETE'),
    ('artifact_use', 'executor', 'SELECT, INSERT'),
    ('artifact_use', 'projector', 'SELECT, DELETE'),
    -- What has ended of signing in is swept out.
    ('user_session', 'projector', 'SELECT (expires_at), DELETE'),
    ('one_time_secret', 'projector', 'SELECT (expires_at), DELETE'),
    ('sign_in_attempt', 'projector', 'SELECT (first_at, locked_until), DELETE'),
    ('refusal_count', 'projector', 'SELECT (since), DELETE'),
    -- Read models that appends fold into, and what is needed of them to schedule and to run.
    ('due', 'scheduler', 'SELECT, UPDATE (next_due, last_due, epoch, xid)'),
    ('job_queue', 'scheduler', 'SELECT, INSERT, UPDATE'),
    ('job_queue', 'executor', 'SELECT, INSERT, UPDATE, DELETE'),
    ('job_queue', 'projector', 'SELECT'),
    ('task', 'scheduler', 'SELECT, INSERT, UPDATE'),
    ('task', 'executor', 'SELECT, INSERT, UPDATE'),
    ('task', 'projector', 'SELECT, DELETE'),
    ('job_id', 'scheduler', 'USAGE'),
    ('job_id', 'executor', 'USAGE'),
    ('task_id', 'scheduler', 'USAGE'),
    ('run_template', 'scheduler', 'SELECT'),
    ('run_template', 'executor', 'SELECT'),
    ('company', 'scheduler', 'SELECT'),
    ('company', 'executor', 'SELECT'),
    ('company', 'projector', 'SELECT'),
    ('application', 'scheduler', 'SELECT'),
    ('application', 'executor', 'SELECT'),
    ('system_state', 'executor', 'SELECT'),
    ('credential', 'executor', 'SELECT'),
    ('credential_type', 'executor', 'SELECT'),
    ('credential_prototype', 'executor', 'SELECT'),
    ('run_template_credential', 'executor', 'SELECT'),
    -- Read models that the projector folds.
    ('projections', 'projector', 'SELECT, UPDATE'),
    ('skipped_events', 'projector', 'SELECT, INSERT'),
    ('job', 'projector', 'SELECT, INSERT, UPDATE, DELETE'),
    ('job_output', 'projector', 'SELECT, INSERT, UPDATE, DELETE'),
    ('artifact', 'projector', 'SELECT, INSERT, UPDATE, DELETE'),
    ('removal', 'projector', 'SELECT, INSERT, UPDATE, DELETE'),
    ('dashboard_day', 'projector', 'SELECT, INSERT, UPDATE, DELETE'),
    ('run_template_outcomes', 'projector', 'SELECT, INSERT, UPDATE, DELETE'),
    ('audit_trail', 'projector', 'SELECT, INSERT, UPDATE, DELETE'),
    -- Functions that are one daemon's work.
    ('schedule_due', 'scheduler', 'EXECUTE'),
    ('claim_jobs', 'executor', 'EXECUTE'),
    ('renew_leases', 'executor', 'EXECUTE'),
    ('hold_artifact', 'executor', 'EXECUTE'),
    ('project', 'projector', 'EXECUTE'),
    ('collect_artifacts', 'projector', 'EXECUTE'),
    ('sweep_sign_in', 'projector', 'EXECUTE'),
    ('ensure_partitions', 'projector', 'EXECUTE')
$$;

-- Gives daemons what daemon_rights() says of a table or a sequence, and nothing else. Takes the relation; returns nothing.
CREATE OR REPLACE FUNCTION grant_daemons(target regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    kind text := (SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END FROM pg_class c WHERE c.oid = target);
    found record;
BEGIN
    EXECUTE format('REVOKE ALL ON %s %s FROM multiflexi_scheduler, multiflexi_executor, multiflexi_projector, multiflexi_daemon',
        kind, target);
    FOR found IN
        SELECT r.role, r.rights FROM daemon_rights() r JOIN pg_class c ON c.relname = r.name AND c.oid = target ORDER BY 1
    LOOP
        EXECUTE format('GRANT %s ON %s %s TO %I', found.rights, kind, target, 'multiflexi_' || found.role);
    END LOOP;
END
$$;

-- Gives each daemon what daemon_rights() says, of all there is. Takes and returns nothing; set_policies() calls it.
CREATE OR REPLACE FUNCTION set_daemon_rights() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    daemons constant text := 'multiflexi_scheduler, multiflexi_executor, multiflexi_projector';
    found record;
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA multiflexi TO %s', daemons);
    FOR found IN
        SELECT c.oid::regclass AS target, EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'by_role') AS secured
          FROM pg_class c
         WHERE c.relnamespace = 'multiflexi'::regnamespace AND c.relkind IN ('r', 'p', 'S') AND NOT c.relispartition
         ORDER BY c.relname
    LOOP
        PERFORM grant_daemons(found.target);
        IF found.secured AND found.target NOT IN ('events'::regclass, 'streams'::regclass, 'data_keys'::regclass) THEN
            EXECUTE format('ALTER POLICY by_role ON %s TO multiflexi_owner, %s', found.target, daemons);
        END IF;
    END LOOP;
    EXECUTE format('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA multiflexi TO %s', daemons);
    REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA multiflexi FROM multiflexi_daemon;
    FOR found IN
        SELECT p.oid::regprocedure AS target, r.role FROM daemon_rights() r
          JOIN pg_proc p ON p.proname = r.name AND p.pronamespace = 'multiflexi'::regnamespace
         WHERE r.rights = 'EXECUTE' ORDER BY p.proname, p.oid
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC, multiflexi_app, multiflexi_auditor, %s', found.target, daemons);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', found.target, 'multiflexi_' || found.role);
    END LOOP;
END
$$;
