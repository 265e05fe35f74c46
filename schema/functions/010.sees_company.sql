-- Companies that the session acts for: multiflexi.companies holds '*' or integer ids separated by commas.
-- Takes nothing; returns the ids, NULL if the session acts for none. '*' is told by sees_everything().
CREATE OR REPLACE FUNCTION session_companies() RETURNS integer[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN coalesce(current_setting('multiflexi.companies', true), '') ~ '^[0-9]+(,[0-9]+)*$'
        THEN string_to_array(current_setting('multiflexi.companies', true), ',')::integer[]
    END
$$;

-- Whether the session acts for the whole installation.
CREATE OR REPLACE FUNCTION sees_everything() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(current_setting('multiflexi.companies', true), '') = '*'
$$;

-- Puts row-level security on a table. Its rows belong to company_id; rows without one belong to the installation and are
-- seen by everybody only if shared, but written only by who acts for the whole installation.
-- Takes the table; whether rows without a company are shared. Returns nothing.
CREATE OR REPLACE FUNCTION isolate(target regclass, shared boolean DEFAULT false) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    own text := '(SELECT multiflexi.sees_everything()) OR company_id = ANY ((SELECT multiflexi.session_companies())::integer[])';
    policy text;
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    FOREACH policy IN ARRAY ARRAY['by_company', 'shared', 'by_role', 'by_auditor'] LOOP
        EXECUTE format('DROP POLICY IF EXISTS %I ON %s', policy, target);
    END LOOP;
    EXECUTE format('CREATE POLICY by_company ON %s TO multiflexi_app USING (%s) WITH CHECK (%s)', target, own, own);
    IF shared THEN
        EXECUTE format('CREATE POLICY shared ON %s FOR SELECT TO multiflexi_app USING (company_id IS NULL)', target);
    END IF;
    EXECUTE format('CREATE POLICY by_role ON %s TO multiflexi_owner, multiflexi_scheduler, multiflexi_executor, multiflexi_projector
                        USING (true) WITH CHECK (true)', target);
    EXECUTE format('CREATE POLICY by_auditor ON %s FOR SELECT TO multiflexi_auditor USING (true)', target);
END
$$;
