-- The digest of an event as stored. Its text is unambiguous: a stream or type has no '|', data and meta are JSON objects and
-- end where they close, the payload's SHA-256 in hex (or '-') stands before them. The version is not in it: the chain of the
-- stream fixes it. The payload comes as its digest, for whoever appends it has the time to compute it while the server is busy,
-- and a server without OpenSSL takes ten times as long; a false one is found by the audit. STABLE and of one expression that uses each argument's text once, so that the planner inlines it.
-- Takes the stored columns (time as microseconds since 1970, SHA-256 of the payload or NULL); returns 32 bytes. eventstore.chain computes the same.
DROP FUNCTION IF EXISTS event_digest(text, text, integer, bigint, text, text, bytea);
CREATE FUNCTION event_digest(
    stream text, type text, company_id integer, micros bigint, data text, meta text, payload_digest bytea
) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT sha256(
        convert_to(stream || '|' || type || '|' || coalesce(company_id::text, '') || '|' || micros::text || '|'
            || coalesce(encode(payload_digest, 'hex'), '-') || '|' || data || meta, 'UTF8'))
$$;

-- Microseconds since 1970 of a moment, the form in which a digest covers it. STABLE as extract() is, so that the planner
-- inlines it.
CREATE OR REPLACE FUNCTION micros_of(moment timestamptz) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT (extract(epoch FROM moment) * 1000000)::bigint
$$;
