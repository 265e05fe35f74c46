-- Folds the next events of the log into projections that stand at the same place, and moves them on, in one transaction.
-- Unqualified names: a rebuild or a replay puts a schema of its own before this one in the search path.
-- Takes: the projections, how many events at most, until which recording time (NULL: all), and whether the caller holds off
--   all appends, so that events may be read up to the very end. Returns: how many events were read; 0 means that the end is
--   reached.
-- Raises: object_not_in_prerequisite_state when the projections do not stand at the same place.
CREATE OR REPLACE FUNCTION project(p_names text[], p_limit integer, p_until timestamptz DEFAULT NULL, p_alone boolean DEFAULT false)
RETURNS integer LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    place record;
    batch event[];
    fold text;
    last event;
    newest_epoch smallint;
BEGIN
    PERFORM FROM projections p WHERE p.name = ANY (p_names) ORDER BY p.name FOR UPDATE;
    SELECT DISTINCT p.epoch, p.xid, p.position INTO STRICT place FROM projections p WHERE p.name = ANY (p_names);
    SELECT max(l.epoch) INTO newest_epoch FROM log_epoch l;
    WHILE place.epoch < newest_epoch AND NOT EXISTS (
        SELECT FROM events x WHERE x.epoch = place.epoch AND (x.xid, x.position) > (place.xid, place.position)
    ) LOOP
        place.epoch := place.epoch + 1;
        place.xid := '0';
        place.position := 0;
    END LOOP;
    SELECT array_agg(ROW(e.epoch, e.xid, e.position, e.stream, e.version, e.type, e.company_id, e.time, e.data, e.meta)::event)
      INTO batch
      FROM read_log(place.epoch, place.xid, place.position, NULL, NULL, p_limit, false, p_until, p_alone) e;
    IF batch IS NULL THEN
        RETURN 0;
    END IF;
    FOREACH fold IN ARRAY p_names LOOP
        EXECUTE format('SELECT %I($1)', 'fold_' || fold) USING batch;
    END LOOP;
    last := batch[cardinality(batch)];
    UPDATE projections p
       SET epoch = last.epoch, xid = last.xid, position = last.position, event_time = last.time, updated_at = clock_timestamp()
     WHERE p.name = ANY (p_names);
    RETURN cardinality(batch);
EXCEPTION
    WHEN too_many_rows THEN
        RAISE object_not_in_prerequisite_state USING MESSAGE = 'the projections do not stand at the same place';
END
$$;

-- Grants and isolation of a read model. Takes the table; whether appends fold into it; whether rows without a company are
-- shared. Returns nothing.
CREATE OR REPLACE FUNCTION protect_read_model(target regclass, inline boolean, shared boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM isolate(target, shared);
    EXECUTE format('GRANT SELECT ON %s TO multiflexi_app, multiflexi_daemon, multiflexi_auditor', target);
    EXECUTE format('GRANT INSERT, UPDATE, DELETE ON %s TO multiflexi_daemon', target);
    IF inline THEN
        EXECUTE format('GRANT INSERT, UPDATE, DELETE ON %s TO multiflexi_app', target);
    END IF;
END
$$;
