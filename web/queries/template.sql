-- name: chosen
-- Run templates that were chosen, with the fields that are changed many at once. $1: ids.
SELECT t.id, t.name, t.company_id, c.name AS company_name, a.name AS app_name, t.active, t.document,
       coalesce(t.document->>'time_zone', c.time_zone, 'UTC') AS zone
  FROM run_template t
  LEFT JOIN company c ON c.id = t.company_id
  LEFT JOIN application a ON a.id = t.app_id
 WHERE t.id = ANY ($1::integer[]) AND t.removed_at IS NULL
 ORDER BY t.id

-- name: populated
-- Applications of a company, each with how many run templates of it there are, and whether it is enabled. $1: company.
SELECT a.id, a.name, a.version, a.enabled,
       (SELECT count(*) FROM run_template t
         WHERE t.company_id = x.company_id AND t.app_id = x.app_id AND t.removed_at IS NULL)::integer AS templates
  FROM company_app x JOIN application a ON a.id = x.app_id AND a.removed_at IS NULL
 WHERE x.company_id = $1::integer
 ORDER BY a.name, a.id
