-- Puts grants and row-level security on the tables of the event store. Takes and returns nothing.
CREATE OR REPLACE FUNCTION set_policies() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM isolate('events'), isolate('streams'), isolate('idempotency_keys'), isolate('data_keys', true), isolate('job_leases');
    PERFORM set_artifact_policies();
    PERFORM set_sign_in_policies();
    GRANT SELECT ON ALL TABLES IN SCHEMA multiflexi TO multiflexi_auditor;
    REVOKE ALL ON idempotency_keys, data_keys, signing_keys FROM multiflexi_auditor;
    GRANT SELECT ON signing_keys TO multiflexi_auditor;
    REVOKE ALL ON job_leases, daemons, master_keys, signing_keys FROM multiflexi_app;
    GRANT SELECT ON log_epoch, tree_heads, tree_edges, archived_partitions, projections, daemons, master_keys, signing_keys
        TO multiflexi_app;
    GRANT SELECT, INSERT ON events, idempotency_keys TO multiflexi_app;
    GRANT SELECT, INSERT, UPDATE ON streams TO multiflexi_app;
    GRANT SELECT, INSERT, UPDATE, DELETE ON data_keys TO multiflexi_app;
    -- What queue:fix takes away: leases of jobs that are over.
    GRANT SELECT, DELETE ON job_leases TO multiflexi_app;
    GRANT INSERT ON master_keys TO multiflexi_app;
    GRANT SELECT ON SEQUENCE event_position TO multiflexi_app, multiflexi_auditor;
    GRANT USAGE ON ALL SEQUENCES IN SCHEMA multiflexi TO multiflexi_app;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA multiflexi TO multiflexi_app, multiflexi_auditor;
    PERFORM set_daemon_rights();
    PERFORM set_log_policies();
    -- They run as the owner, for the companies of the session: for who has some.
    REVOKE EXECUTE ON FUNCTION company_page, run_template_page
        FROM PUBLIC, multiflexi_scheduler, multiflexi_executor, multiflexi_projector, multiflexi_auditor;
END
$$;
