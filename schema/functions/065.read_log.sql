-- Reads the next events of one epoch in log order. Of the newest epoch only transactions that no earlier one can follow.
-- One epoch at a time, and no sorting: statistics lag behind the tail of a log, and a planner that believes it to be short
-- would sort all of it for every page; the indexes of the partitions have the order already.
-- Takes: the epoch, the place in it after which to read, categories or NULL, a company or NULL, how many at most, whether to
--   read payloads, until which recording time or NULL, and whether the caller holds off all appends, so that events may be read
--   up to the very end. Returns: events, their data and meta as stored.
CREATE OR REPLACE FUNCTION read_log(
    p_epoch smallint, p_xid xid8, p_position bigint, p_categories text[], p_company integer, p_limit integer, p_payloads boolean,
    p_until timestamptz DEFAULT NULL, p_alone boolean DEFAULT false
) RETURNS TABLE (
    epoch smallint, xid xid8, "position" bigint, stream text, version integer, type text, company_id integer, "time" timestamptz,
    data jsonb, meta jsonb, payload bytea, hash bytea
) LANGUAGE plpgsql STABLE SET enable_sort = off SET enable_seqscan = off SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    horizon xid8 := CASE
        WHEN p_alone OR p_epoch < (SELECT max(l.epoch) FROM log_epoch l) THEN '18446744073709551615'::xid8
        ELSE pg_snapshot_xmin(pg_current_snapshot()) END;
BEGIN
    IF p_categories IS NULL AND p_company IS NULL AND p_until IS NULL THEN
        RETURN QUERY
            SELECT e.epoch, e.xid, e.position, e.stream, e.version, e.type, e.company_id, e.time, e.data, e.meta,
                   CASE WHEN p_payloads THEN e.payload END, e.hash
              FROM events e
             WHERE e.epoch = p_epoch AND (e.xid, e.position) > (p_xid, p_position) AND e.xid < horizon
             ORDER BY e.epoch, e.xid, e.position LIMIT p_limit;
        RETURN;
    END IF;
    RETURN QUERY
        SELECT e.epoch, e.xid, e.position, e.stream, e.version, e.type, e.company_id, e.time, e.data, e.meta,
               CASE WHEN p_payloads THEN e.payload END, e.hash
          FROM events e
         WHERE e.epoch = p_epoch AND (e.xid, e.position) > (p_xid, p_position) AND e.xid < horizon
           AND (p_categories IS NULL OR split_part(e.stream, '-', 1) = ANY (p_categories))
           AND (p_company IS NULL OR e.company_id = p_company)
           AND (p_until IS NULL OR e.time <= p_until)
         ORDER BY e.epoch, e.xid, e.position LIMIT p_limit;
END
$$;
