-- Folds one event into projections, each by itself. A projection that cannot take it passes over it, and that is noted: one event
-- of a shape that nobody foresaw must not hold up all those after it. What cannot be told apart by the event, such as a missing
-- table or a full disk, is raised.
-- Takes: the projections, the event.
CREATE OR REPLACE FUNCTION fold_or_skip(p_names text[], p_event event) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    projection text;
BEGIN
    FOREACH projection IN ARRAY p_names LOOP
        BEGIN
            EXECUTE format('SELECT %I($1)', 'fold_' || projection) USING ARRAY[p_event];
        EXCEPTION
            WHEN data_exception OR integrity_constraint_violation OR cardinality_violation OR program_limit_exceeded THEN
                INSERT INTO skipped_events (projection, epoch, xid, position, stream, version, type, error)
                VALUES (projection, p_event.epoch, p_event.xid, p_event.position, p_event.stream, p_event.version, p_event.type,
                        SQLERRM)
                ON CONFLICT DO NOTHING;
                RAISE WARNING 'read model % passes over version % of %: see skipped_events', projection, p_event.version,
                    p_event.stream;
        END;
    END LOOP;
END
$$;

-- Folds the next events of the log into projections that stand at the same place, and moves them on, in one transaction.
-- Unqualified names: a rebuild or a replay puts a schema of its own before this one in the search path.
-- Takes: the projections; how many events at most; until which recording time (NULL: all); whether the caller holds off all
--   appends, so that events may be read up to the very end; the first and the last class of events that concern the projections:
--   those of other classes are passed over unread. Returns: how many events were read; 0 means that the end is reached.
-- Raises: object_not_in_prerequisite_state when the projections do not stand at the same place.
DROP FUNCTION IF EXISTS project(text[], integer, timestamptz, boolean);
CREATE OR REPLACE FUNCTION project(
    p_names text[], p_limit integer, p_until timestamptz DEFAULT NULL, p_alone boolean DEFAULT false,
    p_first_class integer DEFAULT 0, p_last_class integer DEFAULT 99
) RETURNS integer LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET work_mem = '64MB' AS $$
#variable_conflict use_column
DECLARE
    place event;
    places integer;
    newest event;
    last event;
    newest_epoch smallint;
    -- All folds share one array of events, which none of them copies: see read_batch.
    fold_page text := (
        SELECT 'SELECT cardinality(r.b) AS count, r.b[cardinality(r.b)] AS last, '
               || string_agg(format('%I(r.b)', 'fold_' || n.name), ', ' ORDER BY n.ordinal)
               || ' FROM (SELECT read_batch($1, $2, $3, $4, $5, $6, $7, $8) AS b OFFSET 0) r WHERE r.b IS NOT NULL'
          FROM unnest(p_names) WITH ORDINALITY AS n (name, ordinal));
    page record;
    step integer := p_limit;
    folded integer := 0;
BEGIN
    -- A crash may undo this transaction although it was visible: the log has the events, and they are folded again.
    PERFORM set_config('synchronous_commit', 'off', true);
    PERFORM FROM projections p WHERE p.name = ANY (p_names) ORDER BY p.name FOR UPDATE;
    SELECT count(DISTINCT ROW(p.epoch, p.xid, p.position)), min(p.epoch), min(p.xid), min(p.position)
      INTO places, place.epoch, place.xid, place.position
      FROM projections p WHERE p.name = ANY (p_names);
    IF places <> 1 THEN
        RAISE object_not_in_prerequisite_state USING MESSAGE = 'the projections do not stand at the same place';
    END IF;
    SELECT max(l.epoch) INTO newest_epoch FROM log_epoch l;
    IF p_until IS NULL AND (p_first_class > 0 OR p_last_class < 99) THEN
        newest := newest_event(newest_epoch, p_alone);
    END IF;

    WHILE folded < p_limit LOOP
        BEGIN
            EXECUTE fold_page INTO page
              USING place.epoch, place.xid, place.position, step, p_first_class, p_last_class, p_until, p_alone;
        EXCEPTION
            WHEN data_exception OR integrity_constraint_violation OR cardinality_violation OR program_limit_exceeded THEN
                IF step > 1 THEN
                    step := greatest(step / 8, 1);
                    CONTINUE;
                END IF;
                SELECT 1 AS count, r.b[1] AS last INTO page
                  FROM read_batch(place.epoch, place.xid, place.position, 1, p_first_class, p_last_class, p_until, p_alone) r (b);
                PERFORM fold_or_skip(p_names, page.last);
        END;
        IF page.count IS NULL THEN
            EXIT WHEN place.epoch >= newest_epoch;
            place := ROW(place.epoch + 1, '0', 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
            CONTINUE;
        END IF;
        folded := folded + page.count;
        place := page.last;
        last := page.last;
        EXIT WHEN page.count < step AND place.epoch >= newest_epoch;
        step := least(step * 8, p_limit - folded);
    END LOOP;
    IF folded < p_limit AND (newest.epoch, newest.xid, newest.position) > (place.epoch, place.xid, place.position) THEN
        last := newest; -- the rest of the log does not concern these projections
    END IF;
    IF last.epoch IS NOT NULL THEN
        UPDATE projections p
           SET epoch = last.epoch, xid = last.xid, position = last.position, event_time = last.time,
               updated_at = clock_timestamp()
         WHERE p.name = ANY (p_names);
    END IF;
    RETURN folded;
END
$$;

-- Grants and isolation of a read model. Takes the table; whether appends fold into it; whether rows without a company are
-- shared. Returns nothing.
CREATE OR REPLACE FUNCTION protect_read_model(target regclass, inline boolean, shared boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM isolate(target, shared);
    PERFORM grant_daemons(target);
    EXECUTE format('GRANT SELECT ON %s TO multiflexi_app, multiflexi_auditor', target);
    IF inline THEN
        EXECUTE format('GRANT INSERT, UPDATE, DELETE ON %s TO multiflexi_app', target);
    END IF;
END
$$;
