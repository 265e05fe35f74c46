-- Puts grants and row-level security on the contents of artifacts. Takes and returns nothing; set_policies() calls it.
CREATE OR REPLACE FUNCTION set_artifact_policies() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM isolate('artifact_content'), isolate('artifact_use');
    GRANT SELECT ON artifact_content TO multiflexi_app, multiflexi_daemon, multiflexi_auditor;
    GRANT INSERT, UPDATE, DELETE ON artifact_content TO multiflexi_daemon;
    GRANT SELECT ON artifact_use TO multiflexi_app, multiflexi_daemon, multiflexi_auditor;
    GRANT INSERT, DELETE ON artifact_use TO multiflexi_daemon;
END
$$;
