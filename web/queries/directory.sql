-- name: names
-- Names of companies, of those that the viewer sees. $1: ids.
SELECT c.id, c.name FROM company c WHERE c.id = ANY ($1::integer[]) AND c.removed_at IS NULL
