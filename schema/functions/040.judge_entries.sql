-- Judges what append_batch was asked for where not all of it can be appended, or where a request has an idempotency
-- key.
-- Takes: the arrays of append_batch; of each entry the version and the company that its stream was found with (NULL:
--   there is none).
-- Returns: of each entry its outcome and, where it is not appended, what append_batch tells in its version, or what the
--   first call with the key was answered.
CREATE OR REPLACE FUNCTION judge_entries(
    p_request integer[], p_stream text[], p_company integer[], p_expected integer[], p_found integer[],
    p_owner integer[], p_key text[], p_fingerprint bytea[],
    OUT outcomes text[], OUT versions integer[], OUT kept jsonb[]
) LANGUAGE plpgsql STABLE AS $$
BEGIN
    WITH known AS (
        SELECT r.request, k.fingerprint IS NOT DISTINCT FROM r.fingerprint AS same, k.result
          FROM unnest(p_key, p_fingerprint) WITH ORDINALITY AS r (key, fingerprint, request)
          JOIN idempotency_keys k ON k.key = r.key
    ), judged AS (
        SELECT e.*, n.result,
               CASE WHEN n.same THEN 'replayed'
                    WHEN NOT n.same THEN 'key_reused'
                    WHEN e.expected >= 0 AND e.expected <> coalesce(e.found, 0) THEN 'conflict'
                    WHEN e.found IS NOT NULL AND e.owner IS DISTINCT FROM e.company THEN 'other_company'
                    ELSE 'appended' END AS verdict
          FROM unnest(p_request, p_stream, p_company, p_expected, p_found, p_owner) WITH ORDINALITY
               AS e (request, stream, company, expected, found, owner, ordinal)
          LEFT JOIN known n ON n.request = e.request
    ), decided AS (
        SELECT j.*, bool_and(j.verdict = 'appended') OVER (PARTITION BY j.request) AS fine FROM judged j
    )
    SELECT array_agg(CASE WHEN d.verdict = 'appended' AND NOT d.fine THEN 'refused' ELSE d.verdict END
                     ORDER BY d.ordinal),
           array_agg(CASE d.verdict WHEN 'other_company' THEN d.owner ELSE coalesce(d.found, 0) END ORDER BY d.ordinal),
           array_agg(CASE d.verdict WHEN 'replayed' THEN (SELECT r FROM jsonb_array_elements(d.result) r
                                                           WHERE r->>'stream' = d.stream) END ORDER BY d.ordinal)
      INTO outcomes, versions, kept
      FROM decided d;
END
$$;
