-- Who holds back readers of the log: the oldest transaction that has written and not ended yet, in any database of the cluster,
-- a prepared one too. Runs as its owner, who may see the sessions of others if it is a member of pg_read_all_stats.
-- Takes nothing; returns at most one row: process id (NULL: a prepared transaction), login, name and state of the session,
-- seconds since its transaction began, and the beginning of what it ran last.
CREATE OR REPLACE FUNCTION log_horizon()
RETURNS TABLE (pid integer, login text, application text, state text, seconds double precision, query text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT h.pid, h.login, h.application, h.state, extract(epoch FROM clock_timestamp() - h.began)::double precision, h.query
      FROM (
        SELECT a.pid, a.usename::text AS login, a.application_name AS application, a.state, a.xact_start AS began,
               left(a.query, 200) AS query, a.backend_xid::text::bigint AS xid
          FROM pg_stat_activity a WHERE a.backend_xid IS NOT NULL AND a.pid <> pg_backend_pid()
        UNION ALL
        SELECT NULL, p.owner::text, 'prepared transaction ' || p.gid, 'prepared', p.prepared, NULL, p.transaction::text::bigint
          FROM pg_prepared_xacts p) h
     WHERE h.began < clock_timestamp() - interval '1 second'
     ORDER BY h.began LIMIT 1
$$;
