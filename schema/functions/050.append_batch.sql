-- Appends events to many streams for many requests in one statement, each request as a whole or not at all.
-- Takes: of each entry (a stream, at most one entry a stream) its request (1-based), stream, class, company, expected version
--   (-1: any, 0: it must not exist) and number of events (0: only the version is checked); of each event, in the order of the
--   entries, the entry (1-based), its rank in the entry (1-based), type, data, meta and payload; the inline projections to
--   fold; of each request its idempotency key and fingerprint, or NULL.
-- Returns: a row an entry: outcome as append_stream gives it, or 'refused' when another entry of its request was refused.
-- Raises: serialization_failure when the order of the log would contradict that of a stream, or a stream came into being
--   meanwhile: try again.
CREATE OR REPLACE FUNCTION append_batch(
    p_request integer[], p_stream text[], p_class smallint[], p_company integer[], p_expected integer[], p_count integer[],
    p_entry integer[], p_rank integer[], p_type text[], p_data jsonb[], p_meta jsonb[], p_payload bytea[],
    p_inline text[], p_key text[], p_fingerprint bytea[]
) RETURNS TABLE (entry integer, outcome text, version integer, epoch smallint, xid xid8, "position" bigint)
LANGUAGE plpgsql SET enable_nestloop = off AS $$
#variable_conflict use_column
DECLARE
    current_epoch smallint;
    my_xid xid8;
    at timestamptz;
    at_micros bigint;
    outcomes text[];
    versions integer[];
    epochs smallint[];
    xids xid8[];
    positions bigint[];
    head_xid xid8;
    sure integer;
    written integer;
    batch event[];
    fold text;
BEGIN
    -- Heads are locked in the order of their names, before this transaction has an id of its own to be out of order with.
    WITH entries AS (
        SELECT * FROM unnest(p_request, p_stream, p_company, p_expected)
            WITH ORDINALITY AS e (request, stream, company, expected, ordinal)
    ), head AS MATERIALIZED (
        SELECT s.stream, s.version, s.company_id, s.xid FROM streams s WHERE s.stream = ANY (p_stream) ORDER BY s.stream FOR UPDATE
    ), kept AS (
        SELECT r.request, CASE WHEN k.fingerprint = r.fingerprint THEN 'replayed' ELSE 'key_reused' END AS outcome, k.result
          FROM unnest(p_key, p_fingerprint) WITH ORDINALITY AS r (key, fingerprint, request)
          JOIN idempotency_keys k ON k.key = r.key
         WHERE p_key IS NOT NULL
    ), judged AS (
        SELECT e.ordinal, e.request, e.stream, h.version AS found, h.xid, kept.result,
               CASE WHEN kept.outcome IS NOT NULL THEN kept.outcome
                    WHEN e.expected >= 0 AND e.expected <> coalesce(h.version, 0) THEN 'conflict'
                    WHEN h.stream IS NOT NULL AND h.company_id IS DISTINCT FROM e.company THEN 'other_company'
                    ELSE 'appended' END AS verdict,
               h.company_id
          FROM entries e LEFT JOIN head h ON h.stream = e.stream LEFT JOIN kept ON kept.request = e.request
    ), decided AS (
        SELECT *, CASE WHEN verdict = 'appended' AND NOT bool_and(verdict = 'appended') OVER (PARTITION BY request)
                       THEN 'refused' ELSE verdict END AS final
          FROM judged
    )
    SELECT array_agg(final ORDER BY ordinal),
           array_agg(CASE verdict WHEN 'other_company' THEN company_id
                                  WHEN 'replayed' THEN (SELECT (r->>'version')::integer FROM jsonb_array_elements(result) r
                                                         WHERE r->>'stream' = decided.stream)
                                  ELSE coalesce(found, 0) END ORDER BY ordinal),
           array_agg((SELECT (r->>'epoch')::smallint FROM jsonb_array_elements(result) r WHERE r->>'stream' = decided.stream)
                     ORDER BY ordinal),
           array_agg((SELECT (r->>'xid')::xid8 FROM jsonb_array_elements(result) r WHERE r->>'stream' = decided.stream)
                     ORDER BY ordinal),
           array_agg((SELECT (r->>'position')::bigint FROM jsonb_array_elements(result) r WHERE r->>'stream' = decided.stream)
                     ORDER BY ordinal),
           max(xid) FILTER (WHERE final = 'appended'),
           count(*) FILTER (WHERE final = 'appended' AND (p_count[ordinal] > 0 OR found IS NOT NULL))
      INTO outcomes, versions, epochs, xids, positions, head_xid, sure
      FROM decided;

    my_xid := pg_current_xact_id();
    IF head_xid > my_xid THEN
        RAISE serialization_failure USING MESSAGE = 'a stream of the batch was appended to by a later transaction';
    END IF;
    at := clock_timestamp();
    at_micros := (extract(epoch FROM at) * 1000000)::bigint;
    SELECT max(e.epoch) INTO current_epoch FROM log_epoch e;

    WITH RECURSIVE entries AS MATERIALIZED (
        SELECT e.ordinal::integer, e.stream, e.class, e.company, e.count, coalesce(s.version, 0) AS version,
               coalesce(s.hash, decode(repeat('00', 32), 'hex')) AS hash, s.stream IS NULL AS fresh
          FROM unnest(p_stream, p_class, p_company, p_count, outcomes)
               WITH ORDINALITY AS e (stream, class, company, count, outcome, ordinal)
          LEFT JOIN (SELECT * FROM streams WHERE stream = ANY (p_stream)) s ON s.stream = e.stream
         WHERE e.outcome = 'appended'
    ), sealed AS MATERIALIZED (
        SELECT v.ordinal, v.entry, v.rank, e.stream, e.version + v.rank AS version, v.type, e.company, v.data, v.meta, v.payload,
               e.class, event_digest(e.stream, v.type, e.company, at_micros, v.data::text, v.meta::text, v.payload) AS digest
          FROM unnest(p_entry, p_rank, p_type, p_data, p_meta, p_payload)
               WITH ORDINALITY AS v (entry, rank, type, data, meta, payload, ordinal)
          JOIN entries e ON e.ordinal = v.entry
    ), chained AS (
        SELECT s.ordinal, s.entry, s.rank, sha256(e.hash || s.digest) AS hash
          FROM sealed s JOIN entries e ON e.ordinal = s.entry WHERE s.rank = 1
        UNION ALL
        SELECT s.ordinal, s.entry, s.rank, sha256(c.hash || s.digest)
          FROM chained c JOIN sealed s ON s.entry = c.entry AND s.rank = c.rank + 1
    ), moved AS (
        UPDATE streams AS s
           SET version = e.version + e.count, hash = coalesce(c.hash, e.hash), xid = my_xid,
               last_time = CASE WHEN e.count > 0 THEN at ELSE s.last_time END
          FROM entries e LEFT JOIN chained c ON c.entry = e.ordinal AND c.rank = e.count
         WHERE s.stream = ANY (p_stream) AND s.stream = e.stream AND NOT e.fresh
        RETURNING s.stream
    ), created AS (
        INSERT INTO streams AS s (stream, class, company_id, version, hash, xid, first_time, last_time)
        SELECT e.stream, e.class, e.company, e.count, c.hash, my_xid, at, at
          FROM entries e JOIN chained c ON c.entry = e.ordinal AND c.rank = e.count
         WHERE e.fresh
         ORDER BY e.stream
        ON CONFLICT (stream) DO NOTHING
        RETURNING s.stream
    ), inserted AS (
        INSERT INTO events (epoch, xid, position, class, stream, version, type, company_id, time, data, meta, payload, hash)
        SELECT current_epoch, my_xid, nextval('event_position'), o.class, o.stream, o.version, o.type, o.company, at, o.data,
               o.meta, o.payload, o.hash
          FROM (SELECT s.*, c.hash FROM sealed s JOIN chained c ON c.ordinal = s.ordinal ORDER BY s.ordinal) o
        RETURNING epoch, xid, position, stream, version, type, company_id, time, data, meta
    ), latest AS (
        SELECT i.stream, max(i.version) AS version, max(i.position) AS position FROM inserted i GROUP BY i.stream
    )
    SELECT (SELECT count(*) FROM moved) + (SELECT count(*) FROM created),
           array_agg(coalesce(l.version, versions[e.ordinal]) ORDER BY e.ordinal),
           array_agg(CASE WHEN outcomes[e.ordinal] = 'appended' THEN current_epoch ELSE epochs[e.ordinal] END ORDER BY e.ordinal),
           array_agg(CASE WHEN outcomes[e.ordinal] = 'appended' THEN my_xid ELSE xids[e.ordinal] END ORDER BY e.ordinal),
           array_agg(coalesce(l.position, positions[e.ordinal]) ORDER BY e.ordinal),
           CASE WHEN p_inline IS NOT NULL THEN
               (SELECT array_agg(ROW(i.epoch, i.xid, i.position, i.stream, i.version, i.type, i.company_id, i.time, i.data, i.meta)::event
                                 ORDER BY i.position) FROM inserted i) END
      INTO written, versions, epochs, xids, positions, batch
      FROM unnest(p_stream) WITH ORDINALITY AS e (stream, ordinal) LEFT JOIN latest l ON l.stream = e.stream;

    IF written <> sure THEN
        RAISE serialization_failure USING MESSAGE = 'a stream of the batch came into being meanwhile';
    END IF;
    IF p_key IS NOT NULL THEN
        PERFORM keep_results(p_request, p_stream, p_company, outcomes, versions, epochs, xids, positions, p_key, p_fingerprint);
    END IF;
    IF batch IS NOT NULL THEN
        FOREACH fold IN ARRAY p_inline LOOP
            EXECUTE format('SELECT %I($1)', fold) USING batch;
        END LOOP;
    END IF;
    RETURN QUERY SELECT o.ordinal::integer, o.outcome, o.version, o.epoch, o.xid, o.position
                   FROM unnest(outcomes, versions, epochs, xids, positions)
                        WITH ORDINALITY AS o (outcome, version, epoch, xid, position, ordinal);
END
$$;
