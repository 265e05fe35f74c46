-- Appends what follows from many due templates, each template as a whole or not at all, without waiting for anybody.
-- A template is had by taking its row of due at the due time and the version that were read, once nobody else can change
-- it: so of any number of schedulers one has it. Whoever changes it at this moment keeps it.
-- Takes: of each template its id, company, version of its stream, due time, the one after it, and the last one that a job
--   is made for (or NULL); of each event, those of a stream one after the other, its template (1-based), stream, class,
--   rank in the stream (1-based), whether it is the last of the stream, whether the stream may have been there before; of each
--   window that is opened its template (1-based) and its beginning; again of each event its type, data and metadata (or one
--   for all of them); the inline projections to fold but that of due, which moves here.
-- Returns: of each template 'scheduled'; 'changed' when it was changed or dealt with by somebody else, or is held by
--   somebody else at this moment; 'known' when a task of one of its windows has been opened before.
-- Raises: serialization_failure when a stream was appended to meanwhile: try again; unique_violation when a stream or a
--   window was made by something that is no scheduler.
-- Heads are found by index, whatever the planner learned of the tables while they were small. Flags of templates are arrays
-- of booleans: an element of an array of text is looked for from its beginning.
DROP FUNCTION IF EXISTS schedule_due(
    integer[], integer[], integer[], timestamptz[], integer[], text[], smallint, integer[], boolean[], boolean[],
    timestamptz[], text[], jsonb[], jsonb[], text[]);
DROP FUNCTION IF EXISTS schedule_due(
    integer[], integer[], integer[], timestamptz[], timestamptz[], timestamptz[], integer[], text[], smallint, integer[],
    boolean[], boolean[], timestamptz[], text[], jsonb[], jsonb[], text[]);
CREATE OR REPLACE FUNCTION schedule_due(
    p_template integer[], p_company integer[], p_version integer[], p_due timestamptz[], p_next timestamptz[],
    p_ran timestamptz[], p_of integer[], p_stream text[], p_class smallint, p_rank integer[], p_last boolean[],
    p_old boolean[], p_opening integer[], p_window timestamptz[], p_type text[], p_data jsonb[], p_meta jsonb[], p_inline text[]
) RETURNS text[]
LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    zero constant bytea := '\x0000000000000000000000000000000000000000000000000000000000000000';
    current_epoch smallint := (SELECT max(e.epoch) FROM log_epoch e);
    my_xid xid8 := pg_current_xact_id();
    only_meta jsonb := CASE WHEN cardinality(p_meta) = 1 THEN p_meta[1] END;
    meta_text text := only_meta::text;
    -- Of each template: whether a window of it was opened before; whether a stream of it is in somebody else's hands;
    -- whether it is ours.
    known boolean[] := array_fill(false, ARRAY[cardinality(p_template)]);
    busy boolean[] := known;
    ours boolean[] := known;
    outcomes text[];
    place integer;
    -- Of each event: the head of its stream as found (NULL: none), and what it becomes.
    tids tid[];
    bases integer[];
    hashes bytea[];
    times timestamptz[];
    chains bytea[];
    places bigint[];
    at timestamptz;
    micros bigint;
    made integer;
    moved integer := 0;
    created integer;
    batch event[];
    fold text;
BEGIN
    -- What puts new read models in place takes the heads first, too.
    LOCK TABLE streams IN ROW EXCLUSIVE MODE;
    FOR place IN
        SELECT DISTINCT e.of
          FROM unnest(p_opening, p_window) AS e (of, begin)
          JOIN task k ON k.run_template_id = p_template[e.of] AND k.window_start = e.begin
    LOOP
        known[place] := true;
    END LOOP;
    IF true = ANY (p_old) THEN
        -- In two steps: what is found and was not locked is in somebody else's hands.
        SELECT array_agg(s.tid) INTO tids
          FROM (SELECT s.ctid AS tid
                  FROM streams s
                 WHERE s.stream = ANY (ARRAY(SELECT e.stream FROM unnest(p_stream, p_old) AS e (stream, old) WHERE e.old))
                   AND s.xid <= my_xid
                   FOR UPDATE SKIP LOCKED) s;
        FOR place IN
            SELECT e.of
              FROM unnest(p_of, p_stream, p_old) AS e (of, stream, old)
              JOIN streams s ON s.stream = e.stream
             WHERE e.old AND s.ctid <> ALL (coalesce(tids, '{}'))
        LOOP
            busy[place] := true;
        END LOOP;
        SELECT array_agg(h.tid), array_agg(h.version), array_agg(h.hash), array_agg(h.last_time)
          INTO tids, bases, hashes, times
          FROM (SELECT s.*
                  FROM unnest(p_stream, p_old) WITH ORDINALITY AS e (stream, old, n)
                  LEFT JOIN LATERAL (SELECT s.ctid AS tid, s.version, s.hash, s.last_time
                                       FROM streams s WHERE e.old AND s.stream = e.stream LIMIT 1) s ON true
                 ORDER BY e.n) h;
    END IF;
    -- The id of this transaction becomes that of the row, or a change of the template with a smaller one could come before
    -- this in the log and after it in the table: see fold_run_template.
    FOR place IN
        WITH free AS MATERIALIZED (
            SELECT t.n, d.ctid AS tid, t.next, t.ran
              FROM unnest(p_template, p_company, p_version, p_due, p_next, p_ran, known, busy) WITH ORDINALITY
                       AS t (id, company, version, due, next, ran, known, busy, n)
              JOIN due d ON d.run_template_id = t.id AND d.next_due = t.due AND d.template_version = t.version
                        AND d.company_id = t.company AND (d.epoch, d.xid) <= (current_epoch, my_xid)
             WHERE NOT t.known AND NOT t.busy
               FOR UPDATE OF d SKIP LOCKED)
        UPDATE due d
           SET next_due = free.next, last_due = coalesce(free.ran, d.last_due), epoch = current_epoch, xid = my_xid
          FROM free WHERE d.ctid = free.tid RETURNING free.n
    LOOP
        ours[place] := true;
    END LOOP;

    outcomes := ARRAY(SELECT CASE WHEN o.ours THEN 'scheduled' WHEN o.known THEN 'known' ELSE 'changed' END
                        FROM unnest(ours, known) WITH ORDINALITY AS o (ours, known, n) ORDER BY o.n);
    IF true <> ALL (ours) THEN
        RETURN outcomes;
    END IF;
    at := clock_timestamp();
    micros := micros_of(at);
    -- Time does not run backwards in a stream, even where the clock does.
    SELECT array_agg(CASE WHEN e.rank = 1 AND ours[e.of] THEN
               sha256(coalesce(e.hash, zero) || event_digest(
                   e.stream, e.type, p_company[e.of], CASE WHEN e.time > at THEN micros_of(e.time) ELSE micros END, e.data::text,
                   coalesce(meta_text, e.meta::text), NULL)) END),
           array_agg(nextval('event_position')), count(*) FILTER (WHERE e.last AND ours[e.of])
      INTO chains, places, made
      FROM (SELECT unnest(p_of) AS of, unnest(p_stream) AS stream, unnest(p_rank) AS rank, unnest(p_last) AS last,
                   unnest(p_type) AS type, unnest(p_data) AS data, unnest(p_meta) AS meta, unnest(hashes) AS hash,
                   unnest(times) AS time) e;
    IF 2 = ANY (p_rank) THEN
        FOR n IN 2 .. cardinality(p_rank) LOOP
            CONTINUE WHEN p_rank[n] = 1 OR NOT ours[p_of[n]];
            chains[n] := sha256(chains[n - 1] || event_digest(
                p_stream[n], p_type[n], p_company[p_of[n]],
                CASE WHEN times[n] > at THEN micros_of(times[n]) ELSE micros END, p_data[n]::text,
                coalesce(meta_text, p_meta[n]::text), NULL));
        END LOOP;
    END IF;

    IF tids IS NOT NULL THEN
        UPDATE streams AS s SET version = h.base + h.rank, hash = h.hash, xid = my_xid, last_time = greatest(h.time, at)
          FROM unnest(p_of, p_rank, p_last, tids, bases, chains, times) AS h (of, rank, last, tid, base, hash, time)
         WHERE h.last AND h.hash IS NOT NULL AND h.tid IS NOT NULL AND s.ctid = h.tid AND s.version = h.base
           AND s.company_id = p_company[h.of];
        GET DIAGNOSTICS moved = ROW_COUNT;
    END IF;
    INSERT INTO streams (stream, class, company_id, version, hash, xid, first_time, last_time)
    SELECT h.stream, p_class, p_company[h.of], h.rank, h.hash, my_xid, at, at
      FROM (SELECT unnest(p_of) AS of, unnest(p_stream) AS stream, unnest(p_rank) AS rank, unnest(p_last) AS last,
                   unnest(tids) AS tid, unnest(chains) AS hash) h
     WHERE h.last AND h.hash IS NOT NULL AND h.tid IS NULL;
    GET DIAGNOSTICS created = ROW_COUNT;
    IF moved + created <> made THEN
        RAISE serialization_failure USING MESSAGE = 'a stream was appended to meanwhile';
    END IF;
    -- unnest() in the list of the query, not after FROM: there its rows would be kept before they are used.
    INSERT INTO events (epoch, xid, position, class, stream, version, type, company_id, time, data, meta, hash)
    SELECT current_epoch, my_xid, e.position, p_class, e.stream, coalesce(e.base, 0) + e.rank, e.type, p_company[e.of],
           greatest(e.time, at), e.data, coalesce(only_meta, e.meta), e.hash
      FROM (SELECT unnest(p_of) AS of, unnest(p_stream) AS stream, unnest(p_rank) AS rank, unnest(bases) AS base,
                   unnest(places) AS position, unnest(p_type) AS type, unnest(times) AS time, unnest(p_data) AS data,
                   unnest(p_meta) AS meta, unnest(chains) AS hash) e
     WHERE e.hash IS NOT NULL;
    SELECT array_agg(ROW(current_epoch, my_xid, e.position, e.stream, coalesce(e.base, 0) + e.rank, e.type, p_company[e.of],
                         greatest(e.time, at), e.data, coalesce(only_meta, e.meta))::event)
      INTO batch
      FROM (SELECT unnest(p_of) AS of, unnest(p_stream) AS stream, unnest(p_rank) AS rank, unnest(bases) AS base,
                   unnest(places) AS position, unnest(p_type) AS type, unnest(times) AS time, unnest(p_data) AS data,
                   unnest(p_meta) AS meta, unnest(chains) AS hash) e
     WHERE e.hash IS NOT NULL;
    FOREACH fold IN ARRAY p_inline LOOP
        EXECUTE format('SELECT %I($1)', fold) USING batch;
    END LOOP;
    RETURN outcomes;
END
$$;
