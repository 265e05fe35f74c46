-- The digest of an event as stored. Its text is unambiguous: every part of variable length is preceded by its length, and a
-- stream or type has no '|'. The version is not in it: the chain of the stream fixes it.
-- Takes the stored columns (time as microseconds since 1970); returns 32 bytes. eventstore.chain computes the same.
CREATE OR REPLACE FUNCTION event_digest(
    stream text, type text, company_id integer, micros bigint, data text, meta text, payload bytea
) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT sha256(
        convert_to(concat(
            stream, '|', type, '|', company_id, '|', micros, '|', octet_length(data), '|', octet_length(meta), '|',
            coalesce(octet_length(payload), -1), '|', data, meta), 'UTF8')
        || coalesce(payload, ''::bytea))
$$;

-- Microseconds since 1970 of a moment, the form in which a digest covers it.
CREATE OR REPLACE FUNCTION micros_of(moment timestamptz) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (extract(epoch FROM moment) * 1000000)::bigint
$$;
