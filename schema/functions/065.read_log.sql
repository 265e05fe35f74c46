-- The transaction id below which events of an epoch may be read. Of the newest epoch only transactions that no earlier one can
-- follow, unless the caller holds off all appends. Takes: the epoch, and whether the caller does that.
CREATE OR REPLACE FUNCTION readable_below(p_epoch smallint, p_alone boolean) RETURNS xid8 LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN CASE WHEN p_alone OR p_epoch < (SELECT max(l.epoch) FROM log_epoch l) THEN '18446744073709551615'::xid8
                ELSE pg_snapshot_xmin(pg_current_snapshot()) END;
END
$$;

-- Reads the next events of one epoch in log order. Of the newest epoch only transactions that no earlier one can follow.
-- One epoch at a time, and no sorting: statistics lag behind the tail of a log, and a planner that believes it to be short
-- would sort all of it for every page; the indexes of the partitions have the order already. The plan is made once: to plan for
-- each page anew would cost as much as reading the page, and with many months more.
-- Takes: the epoch, the place in it after which to read, categories or NULL, a company or NULL, how many at most, whether to
--   read payloads, until which recording time or NULL, and whether the caller holds off all appends, so that events may be read
--   up to the very end. Returns: events, their data and meta as stored.
CREATE OR REPLACE FUNCTION read_log(
    p_epoch smallint, p_xid xid8, p_position bigint, p_categories text[], p_company integer, p_limit integer, p_payloads boolean,
    p_until timestamptz DEFAULT NULL, p_alone boolean DEFAULT false
) RETURNS TABLE (
    epoch smallint, xid xid8, "position" bigint, stream text, version integer, type text, company_id integer, "time" timestamptz,
    data jsonb, meta jsonb, payload bytea, hash bytea
) LANGUAGE plpgsql STABLE
SET enable_sort = off SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    horizon xid8 := readable_below(p_epoch, p_alone);
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

-- Reads the next events of one epoch in log order, for folding: as read_log does, without payloads, into one array.
-- Takes: the epoch, the place in it after which to read, how many at most, the first and the last class of events wanted, until
--   which recording time or NULL, and whether the caller holds off all appends. Returns: NULL if there are none.
-- PL/pgSQL returns an array that functions it is passed to need not copy. To fill an array of much more than some thousands of
-- events takes longer for each of them: the memory is no longer in the processor's caches.
CREATE OR REPLACE FUNCTION read_batch(
    p_epoch smallint, p_xid xid8, p_position bigint, p_limit integer, p_first_class integer, p_last_class integer,
    p_until timestamptz, p_alone boolean
) RETURNS event[] LANGUAGE plpgsql STABLE
SET enable_sort = off SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    batch event[];
    below xid8 := readable_below(p_epoch, p_alone);
BEGIN
    SELECT array_agg(n.e) INTO batch
      FROM (SELECT ROW(e.epoch, e.xid, e.position, e.stream, e.version, e.type, e.company_id, e.time, e.data, e.meta)::event AS e
              FROM events e
             WHERE e.epoch = p_epoch AND (e.xid, e.position) > (p_xid, p_position) AND e.xid < below
               AND e.class BETWEEN p_first_class AND p_last_class AND (p_until IS NULL OR e.time <= p_until)
             ORDER BY e.epoch, e.xid, e.position LIMIT p_limit) n;
    RETURN batch;
END
$$;

-- The newest event of an epoch that may be read; NULL if there is none. Takes: the epoch, and whether the caller holds off all
-- appends.
CREATE OR REPLACE FUNCTION newest_event(p_epoch smallint, p_alone boolean) RETURNS event LANGUAGE plpgsql STABLE
SET enable_sort = off SET enable_seqscan = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    newest event;
    below xid8 := readable_below(p_epoch, p_alone);
BEGIN
    SELECT e.epoch, e.xid, e.position, e.stream, e.version, e.type, e.company_id, e.time, e.data, e.meta INTO newest
      FROM events e
     WHERE e.epoch = p_epoch AND e.xid < below
     ORDER BY e.epoch DESC, e.xid DESC, e.position DESC LIMIT 1;
    RETURN newest;
END
$$;
