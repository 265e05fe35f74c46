-- Puts grants and row-level security on the contents of artifacts; those of daemons are in daemon_rights(). Takes and returns nothing;
-- set_policies() calls it.
CREATE OR REPLACE FUNCTION set_artifact_policies() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM isolate('artifact_content'), isolate('artifact_use');
    GRANT SELECT ON artifact_content, artifact_use TO multiflexi_app, multiflexi_auditor;
END
$$;
