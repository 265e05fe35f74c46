-- Puts grants and row-level security on the contents of artifacts. Takes and returns nothing; set_policies() calls it.
CREATE OR REPLACE FUNCTION set_artifact_policies() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM isolate('artifact_content');
    GRANT SELECT ON artifact_content TO multiflexi_app, multiflexi_daemon, multiflexi_auditor;
    GRANT INSERT, UPDATE, DELETE ON artifact_content TO multiflexi_daemon;
END
$$;
