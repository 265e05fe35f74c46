-- Removes what has ended of signing in: sessions past their longest life, secrets past their end, attempts and counts of refusals of
-- a day ago or more.
-- Takes: the moment. Returns: how many sessions were removed, and how many secrets.
CREATE OR REPLACE FUNCTION sweep_sign_in(p_now timestamptz) RETURNS TABLE (sessions bigint, secrets bigint) LANGUAGE sql AS $$
    WITH ended AS (
        DELETE FROM user_session s WHERE s.expires_at <= p_now RETURNING 1
    ), void AS (
        DELETE FROM one_time_secret o WHERE o.expires_at <= p_now RETURNING 1
    ), calm AS (
        DELETE FROM sign_in_attempt a
         WHERE a.first_at < p_now - interval '1 day' AND coalesce(a.locked_until, p_now) <= p_now RETURNING 1
    ), old AS (
        DELETE FROM refusal_count r WHERE r.since < p_now - interval '1 day' RETURNING 1
    )
    SELECT (SELECT count(*) FROM ended), (SELECT count(*) FROM void)
$$;
