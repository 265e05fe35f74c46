-- Puts grants and row-level security on the state of signing in; what the projector sweeps out is in daemon_rights(). Takes and
-- returns nothing; set_policies() calls it.
CREATE OR REPLACE FUNCTION set_sign_in_policies() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    target text;
BEGIN
    FOREACH target IN ARRAY ARRAY['user_session', 'sign_in_attempt', 'one_time_secret', 'totp_use', 'passkey_use', 'api_token_use',
                                 'refusal_count'] LOOP
        PERFORM isolate(target::regclass);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO multiflexi_app', target);
    END LOOP;
    REVOKE ALL ON user_session, sign_in_attempt, one_time_secret, totp_use FROM multiflexi_auditor;
END
$$;
