-- Appends events to one stream.
-- Takes: the stream, its class and company; the version it must have (-1: any, 0: it must not exist); of each event the type,
--   data, meta and payload; the inline projections to fold; an idempotency key with the fingerprint of the command, or NULL.
-- Returns: one row. outcome 'appended' with the new version and the position of the last event; 'conflict' with the version
--   found; 'replayed' with what the first call answered; 'key_reused' when the key belongs to another command;
--   'other_company' with the company found in version.
-- Raises: serialization_failure when the order of the log would contradict that of the stream: try again.
CREATE OR REPLACE FUNCTION append_stream(
    p_stream text, p_class smallint, p_company integer, p_expected integer,
    p_types text[], p_data jsonb[], p_meta jsonb[], p_payloads bytea[],
    p_inline text[], p_key text, p_fingerprint bytea,
    OUT outcome text, OUT version integer, OUT epoch smallint, OUT xid xid8, OUT "position" bigint
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    head record;
    known boolean;
    stored record;
    at timestamptz;
    micros bigint;
    chain bytea;
    hashes bytea[] := '{}';
    batch event[] := '{}';
    n integer := cardinality(p_types);
    next_position bigint;
    fold text;
BEGIN
    IF p_key IS NOT NULL THEN
        SELECT k.fingerprint, k.result INTO stored FROM idempotency_keys k WHERE k.key = p_key;
        IF FOUND THEN
            SELECT CASE WHEN stored.fingerprint = p_fingerprint THEN 'replayed' ELSE 'key_reused' END,
                   (stored.result->0->>'version')::integer, (stored.result->0->>'epoch')::smallint,
                   (stored.result->0->>'xid')::xid8, (stored.result->0->>'position')::bigint
              INTO outcome, version, epoch, xid, position;
            RETURN;
        END IF;
    END IF;

    LOOP
        SELECT s.version, s.hash, s.company_id, s.xid INTO head FROM streams s WHERE s.stream = p_stream FOR UPDATE;
        known := FOUND;
        IF p_expected >= 0 AND p_expected <> coalesce(head.version, 0) THEN
            outcome := 'conflict';
            version := coalesce(head.version, 0);
            RETURN;
        END IF;
        xid := pg_current_xact_id();
        IF known AND head.company_id IS DISTINCT FROM p_company THEN
            outcome := 'other_company';
            version := head.company_id;
            RETURN;
        END IF;
        IF known AND head.xid > xid THEN
            RAISE serialization_failure USING MESSAGE = format('stream %s was appended to by a later transaction', p_stream);
        END IF;
        at := clock_timestamp();
        micros := (extract(epoch FROM at) * 1000000)::bigint;
        chain := CASE WHEN known THEN head.hash ELSE decode(repeat('00', 32), 'hex') END;
        FOR i IN 1 .. n LOOP
            chain := sha256(chain || event_digest(
                p_stream, p_types[i], p_company, micros, p_data[i]::text, p_meta[i]::text, p_payloads[i]));
            hashes[i] := chain;
        END LOOP;
        version := CASE WHEN known THEN head.version ELSE 0 END + n;
        IF known THEN
            UPDATE streams SET version = append_stream.version, hash = chain, xid = append_stream.xid, last_time = at
             WHERE streams.stream = p_stream;
            EXIT;
        END IF;
        INSERT INTO streams (stream, class, company_id, version, hash, xid, first_time, last_time)
        VALUES (p_stream, p_class, p_company, append_stream.version, chain, append_stream.xid, at, at)
        ON CONFLICT (stream) DO NOTHING;
        EXIT WHEN FOUND;
    END LOOP;

    SELECT max(e.epoch) INTO epoch FROM log_epoch e;
    FOR i IN 1 .. n LOOP
        next_position := nextval('event_position');
        INSERT INTO events (epoch, xid, position, class, stream, version, type, company_id, time, data, meta, payload, hash)
        VALUES (append_stream.epoch, append_stream.xid, next_position, p_class, p_stream, append_stream.version - n + i,
                p_types[i], p_company, at, p_data[i], p_meta[i], p_payloads[i], hashes[i]);
        IF p_inline IS NOT NULL THEN
            batch := batch || ROW(append_stream.epoch, append_stream.xid, next_position, p_stream,
                append_stream.version - n + i, p_types[i], p_company, at, p_data[i], p_meta[i])::event;
        END IF;
    END LOOP;
    position := next_position;
    outcome := 'appended';

    IF p_key IS NOT NULL THEN
        INSERT INTO idempotency_keys (key, company_id, fingerprint, result)
        VALUES (p_key, p_company, p_fingerprint, jsonb_build_array(jsonb_build_object(
            'version', append_stream.version, 'epoch', append_stream.epoch, 'xid', append_stream.xid::text,
            'position', next_position)))
        ON CONFLICT (key) DO NOTHING;
        IF NOT FOUND THEN
            RAISE serialization_failure USING MESSAGE = 'the same command is being appended at this moment';
        END IF;
    END IF;
    IF p_inline IS NOT NULL THEN
        FOREACH fold IN ARRAY p_inline LOOP
            EXECUTE format('SELECT %I($1)', fold) USING batch;
        END LOOP;
    END IF;
END
$$;
