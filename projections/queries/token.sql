-- name: list
-- API tokens by id. $1: at most, $2: skip, $3: newest first, $4: only of this user, or NULL, $5: only this one, or NULL.
SELECT t.id, t.user_id, t.document->'name' AS name, 'mfx_********' AS token, t.created_at AS start,
       (t.document->>'until')::timestamptz AS until,
       CASE WHEN t.document->'permissions' <> 'null' THEN ARRAY(SELECT jsonb_array_elements_text(t.document->'permissions')) END AS permissions,
       CASE WHEN t.document->'companies' <> 'null' THEN ARRAY(SELECT jsonb_array_elements_text(t.document->'companies')::integer) END AS companies,
       u.used_at, t.document->>'until' IS NULL OR (t.document->>'until')::timestamptz > now() AS active, t.stream_version
  FROM api_token t LEFT JOIN api_token_use u ON u.token_id = t.id
 WHERE t.revoked_at IS NULL AND ($4::integer IS NULL OR t.user_id = $4) AND ($5::integer IS NULL OR t.id = $5)
 ORDER BY CASE WHEN $3::boolean THEN -t.id ELSE t.id END LIMIT $1::bigint OFFSET coalesce($2::bigint, 0)
