-- Appends events to many streams for many requests, each request as a whole or not at all.
-- Takes: of each entry (a stream, at most one entry a stream) its request (1-based), stream, class, company, expected
--   version (-1: any, 0: it must not exist) and number of events (0: only the version is checked); of each event, in
--   the order of the entries, the entry (1-based), its rank in the entry (1-based), type, data, meta (or one for all of
--   them), payload and its SHA-256 (NULL: none has one); the inline projections to fold; of each request its idempotency key and
--   fingerprint, or NULL.
-- Returns: a row an entry. Outcome 'appended' with the new version and the position of its last event; 'conflict' with
--   the version found; 'other_company' with the company found in version; 'replayed' with what the first call with the
--   key was answered; 'key_reused' when the key belongs to another command; 'refused' when another entry of its request
--   was.
-- Raises: serialization_failure when a stream was appended to meanwhile, or the order of the log would contradict that
--   of a stream: try again.
-- Small steps over arrays cost half of what one statement with joins does. Heads are found by index, whatever the
-- planner learned of the table while it was small.
DROP FUNCTION IF EXISTS append_batch(
    integer[], text[], smallint[], integer[], integer[], integer[], integer[], integer[], text[], jsonb[], jsonb[], bytea[],
    text[], text[], bytea[]);
CREATE OR REPLACE FUNCTION append_batch(
    p_request integer[], p_stream text[], p_class smallint[], p_company integer[], p_expected integer[],
    p_count integer[], p_entry integer[], p_rank integer[], p_type text[], p_data jsonb[], p_meta jsonb[],
    p_payload bytea[], p_payload_digest bytea[], p_inline text[], p_key text[], p_fingerprint bytea[]
) RETURNS TABLE (entry integer, outcome text, version integer, epoch smallint, xid xid8, "position" bigint)
LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    zero constant bytea := '\x0000000000000000000000000000000000000000000000000000000000000000';
    current_epoch smallint := (SELECT max(e.epoch) FROM log_epoch e);
    my_xid xid8;
    head_xid xid8;
    -- Of each entry: its head as found, the head as it becomes (hash NULL: stays as it is), and the answer.
    tids tid[];
    bases integer[];
    owners integer[];
    times timestamptz[];
    hashes bytea[];
    outcomes text[];
    versions integer[];
    positions bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(p_stream)]);
    kept jsonb[];
    -- Of each event.
    chains bytea[];
    places bigint[];
    only_meta jsonb := CASE WHEN cardinality(p_meta) = 1 THEN p_meta[1] END;
    meta_text text := only_meta::text;
    at timestamptz;
    micros bigint;
    chain bytea;
    n integer := 0;
    fine boolean;
    unmoved integer := 0;
    uncreated integer := 0;
    written integer;
    batch event[];
    fold text;
BEGIN
    IF -1 = ANY (p_expected) THEN
        -- In the order of their names, and before this transaction has an id of its own to be out of order with.
        PERFORM FROM streams s WHERE s.stream = ANY (p_stream) ORDER BY s.stream FOR UPDATE;
    END IF;
    SELECT array_agg(h.tid), array_agg(h.version), array_agg(h.hash), array_agg(h.company_id), array_agg(h.last_time),
           max(h.xid),
           bool_and(CASE WHEN h.version IS NULL THEN h.expected <= 0
                         ELSE h.expected IN (-1, h.version) AND h.company_id IS NOT DISTINCT FROM h.company END)
      INTO tids, bases, hashes, owners, times, head_xid, fine
      FROM (SELECT e.company, e.expected, s.*
              FROM unnest(p_stream, p_company, p_expected) WITH ORDINALITY AS e (stream, company, expected, ordinal)
              LEFT JOIN LATERAL (SELECT s.ctid AS tid, s.version, s.hash, s.company_id, s.last_time, s.xid
                                   FROM streams s WHERE s.stream = e.stream LIMIT 1) s ON true
             ORDER BY e.ordinal) h;
    IF p_key IS NOT NULL OR NOT fine THEN
        SELECT j.outcomes, j.versions, j.kept INTO outcomes, versions, kept
          FROM judge_entries(p_request, p_stream, p_company, p_expected, bases, owners, p_key, p_fingerprint) j;
        chains := array_fill(NULL::bytea, ARRAY[cardinality(p_type)]);
        places := array_fill(NULL::bigint, ARRAY[cardinality(p_type)]);
    END IF;

    my_xid := pg_current_xact_id();
    IF head_xid > my_xid THEN
        RAISE serialization_failure USING MESSAGE = 'a stream was appended to by a later transaction';
    END IF;
    at := clock_timestamp();
    FOR i IN 1 .. cardinality(p_stream) LOOP
        IF outcomes[i] <> 'appended' THEN
            hashes[i] := NULL;
            n := n + p_count[i];
            CONTINUE;
        END IF;
        IF p_count[i] > 0 THEN
            -- Time does not run backwards in a stream, even where the clock does.
            times[i] := greatest(at, times[i]);
            micros := micros_of(times[i]);
        END IF;
        chain := coalesce(hashes[i], zero);
        FOR k IN 1 .. p_count[i] LOOP
            n := n + 1;
            chain := sha256(chain || event_digest(
                p_stream[i], p_type[n], p_company[i], micros, p_data[n]::text, coalesce(meta_text, p_meta[n]::text),
                p_payload_digest[n]));
            chains[n] := chain;
            places[n] := nextval('event_position');
        END LOOP;
        versions[i] := coalesce(bases[i], 0) + p_count[i];
        positions[i] := CASE WHEN p_count[i] > 0 THEN places[n] END;
        IF bases[i] IS NOT NULL THEN
            hashes[i] := chain;
            unmoved := unmoved + 1;
        ELSIF p_count[i] > 0 THEN
            hashes[i] := chain;
            uncreated := uncreated + 1;
        END IF;
    END LOOP;

    IF unmoved > 0 THEN
        UPDATE streams AS s SET version = h.version, hash = h.hash, xid = my_xid, last_time = h.time
          FROM (SELECT * FROM unnest(tids, p_stream, bases, versions, hashes, times)
                              AS h (tid, stream, base, version, hash, time)
                 WHERE h.tid IS NOT NULL AND h.hash IS NOT NULL ORDER BY h.stream) h
         WHERE s.ctid = h.tid AND s.stream = h.stream AND s.version = h.base;
        GET DIAGNOSTICS written = ROW_COUNT;
        unmoved := unmoved - written;
    END IF;
    IF uncreated > 0 THEN
        INSERT INTO streams (stream, class, company_id, version, hash, xid, first_time, last_time)
        SELECT h.stream, h.class, h.company, h.version, h.hash, my_xid, h.time, h.time
          FROM unnest(tids, p_stream, p_class, p_company, versions, hashes, times)
               AS h (tid, stream, class, company, version, hash, time)
         WHERE h.tid IS NULL AND h.hash IS NOT NULL ORDER BY h.stream
        ON CONFLICT (stream) DO NOTHING;
        GET DIAGNOSTICS written = ROW_COUNT;
        uncreated := uncreated - written;
    END IF;
    IF unmoved > 0 OR uncreated > 0 THEN
        RAISE serialization_failure USING MESSAGE = 'a stream was appended to meanwhile';
    END IF;
    -- unnest() in the list of the query, not after FROM: there its rows would be kept before they are used.
    INSERT INTO events (epoch, xid, position, class, stream, version, type, company_id, time, data, meta, payload, hash)
    SELECT current_epoch, my_xid, e.position, p_class[e.entry], p_stream[e.entry],
           coalesce(bases[e.entry], 0) + e.rank, e.type, p_company[e.entry], times[e.entry], e.data,
           coalesce(only_meta, e.meta), e.payload, e.hash
      FROM (SELECT unnest(p_entry) AS entry, unnest(p_rank) AS rank, unnest(places) AS position, unnest(p_type) AS type,
                   unnest(p_data) AS data, unnest(p_meta) AS meta, unnest(p_payload) AS payload, unnest(chains) AS hash) e
     WHERE e.hash IS NOT NULL;

    IF p_key IS NOT NULL THEN
        PERFORM keep_results(
            p_request, p_stream, p_company, outcomes, versions, current_epoch, my_xid, positions, p_key, p_fingerprint);
    END IF;
    IF p_inline IS NOT NULL THEN
        SELECT array_agg(ROW(current_epoch, my_xid, e.position, p_stream[e.entry],
                             coalesce(bases[e.entry], 0) + e.rank, e.type, p_company[e.entry], times[e.entry], e.data,
                             coalesce(only_meta, e.meta))::event ORDER BY e.position)
          INTO batch
          FROM unnest(p_entry, p_rank, places, p_type, p_data, p_meta) AS e (entry, rank, position, type, data, meta)
         WHERE e.position IS NOT NULL;
        IF batch IS NOT NULL THEN
            FOREACH fold IN ARRAY p_inline LOOP
                -- Those of every job are planned once, not for each append.
                CASE fold
                    WHEN 'fold_job_queue' THEN PERFORM fold_job_queue(batch);
                    WHEN 'fold_task' THEN PERFORM fold_task(batch);
                    WHEN 'fold_run_template' THEN PERFORM fold_run_template(batch);
                    ELSE EXECUTE format('SELECT %I($1)', fold) USING batch;
                END CASE;
            END LOOP;
        END IF;
    END IF;
    RETURN QUERY
        SELECT o.ordinal::integer, coalesce(o.outcome, 'appended'), coalesce((o.kept->>'version')::integer, o.version),
               CASE WHEN o.outcome <> 'appended' THEN (o.kept->>'epoch')::smallint ELSE current_epoch END,
               CASE WHEN o.outcome <> 'appended' THEN (o.kept->>'xid')::xid8 ELSE my_xid END,
               CASE WHEN o.outcome <> 'appended' THEN (o.kept->>'position')::bigint ELSE o.position END
          FROM unnest(outcomes, versions, positions, kept) WITH ORDINALITY
               AS o (outcome, version, position, kept, ordinal);
END
$$;
