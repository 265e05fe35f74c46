-- Stores what each request with an idempotency key was answered. Takes the arrays of append_batch and what it answers;
-- returns nothing.
-- Raises: serialization_failure when the same command is being appended at this moment: try again.
CREATE OR REPLACE FUNCTION keep_results(
    p_request integer[], p_stream text[], p_company integer[], p_outcome text[], p_version integer[], p_epoch smallint,
    p_xid xid8, p_position bigint[], p_key text[], p_fingerprint bytea[]
) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    wanted integer;
    kept integer;
BEGIN
    WITH answered AS (
        SELECT e.request, min(e.company) AS company_id,
               jsonb_agg(jsonb_build_object('stream', e.stream, 'version', e.version, 'epoch', p_epoch,
                                            'xid', p_xid::text, 'position', e.position)) AS result
          FROM unnest(p_request, p_stream, p_company, p_outcome, p_version, p_position)
               AS e (request, stream, company, outcome, version, position)
         WHERE e.outcome = 'appended' AND p_key[e.request] IS NOT NULL
         GROUP BY e.request
    ), stored AS (
        INSERT INTO idempotency_keys (key, company_id, fingerprint, result)
        SELECT p_key[a.request], a.company_id, p_fingerprint[a.request], a.result
          FROM answered a ORDER BY p_key[a.request]
        ON CONFLICT (key) DO NOTHING
        RETURNING key
    )
    SELECT (SELECT count(*) FROM answered), (SELECT count(*) FROM stored) INTO wanted, kept;
    IF kept <> wanted THEN
        RAISE serialization_failure USING MESSAGE = 'the same command is being appended at this moment';
    END IF;
END
$$;
