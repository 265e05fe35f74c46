-- name: readable
-- Which contents a company has and can still read. $1: company, $2: digests. A content whose key is gone reads as erased.
SELECT c.digest FROM artifact_content c JOIN data_keys k ON k.id = c.key WHERE c.company_id = $1::integer AND c.digest = ANY ($2::text[])
