-- Appends one event to one stream, the shortest way: what append_stream does for one event without a key.
-- Takes: the epoch, as told by current_epoch(); the stream, its class and company; the version it must have (-1: any, 0: it must not exist); the event's type, data,
--   meta and payload; the inline projections to fold, or NULL.
-- Returns: a row as append_stream does: 'appended', 'conflict' or 'other_company'.
-- Raises: serialization_failure when the order of the log would contradict that of the stream: try again.
CREATE OR REPLACE FUNCTION append_event(
    p_epoch smallint, p_stream text, p_class smallint, p_company integer, p_expected integer,
    p_type text, p_data jsonb, p_meta jsonb, p_payload bytea, p_inline text[],
    OUT outcome text, OUT version integer, OUT xid xid8, OUT "position" bigint
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    head record;
    at timestamptz;
    chain bytea;
    digest bytea;
    fold text;
BEGIN
    IF p_expected < 0 THEN
        -- The lock is taken before this transaction has an id, so that ids follow the order of the stream.
        PERFORM FROM streams s WHERE s.stream = p_stream FOR UPDATE;
        IF NOT FOUND THEN
            p_expected := 0;
        END IF;
    END IF;
    at := clock_timestamp();
    digest := event_digest(p_stream, p_type, p_company, (extract(epoch FROM at) * 1000000)::bigint, p_data::text, p_meta::text,
                           p_payload);
    IF p_expected <> 0 THEN
        UPDATE streams AS s SET version = s.version + 1, hash = sha256(s.hash || digest), xid = pg_current_xact_id(), last_time = at
         WHERE s.stream = p_stream AND (p_expected < 0 OR s.version = p_expected) AND s.company_id IS NOT DISTINCT FROM p_company
           AND s.xid <= pg_current_xact_id()
        RETURNING s.version, s.hash, s.xid INTO version, chain, xid;
    ELSE
        chain := sha256('\x0000000000000000000000000000000000000000000000000000000000000000'::bytea || digest);
        INSERT INTO streams AS s (stream, class, company_id, version, hash, xid, first_time, last_time)
        VALUES (p_stream, p_class, p_company, 1, chain, pg_current_xact_id(), at, at)
        ON CONFLICT (stream) DO NOTHING
        RETURNING 1, s.xid INTO version, xid;
    END IF;
    IF version IS NULL THEN
        SELECT s.version, s.company_id INTO head FROM streams s WHERE s.stream = p_stream;
        IF head.company_id IS DISTINCT FROM p_company AND head.version IS NOT NULL THEN
            outcome := 'other_company';
            version := head.company_id;
        ELSIF p_expected <> coalesce(head.version, 0) THEN
            outcome := 'conflict';
            version := coalesce(head.version, 0);
        ELSE
            RAISE serialization_failure USING MESSAGE = format('stream %s was appended to by a later transaction', p_stream);
        END IF;
        RETURN;
    END IF;

    INSERT INTO events AS e (epoch, xid, class, stream, version, type, company_id, time, data, meta, payload, hash)
    VALUES (p_epoch, append_event.xid, p_class, p_stream, append_event.version, p_type, p_company, at, p_data, p_meta,
            p_payload, chain)
    RETURNING e.position INTO position;
    outcome := 'appended';
    IF p_inline IS NOT NULL THEN
        FOREACH fold IN ARRAY p_inline LOOP
            EXECUTE format('SELECT %I($1)', fold) USING ARRAY[ROW(p_epoch, append_event.xid, append_event.position,
                p_stream, append_event.version, p_type, p_company, at, p_data, p_meta)::event];
        END LOOP;
    END IF;
END
$$;
