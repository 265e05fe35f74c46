-- name: list
-- Files that jobs left; of one job also what it wrote, as stdout.txt and stderr.txt (numbers 901 and 902).
-- removed_at: when retention gave the file up, after removed_days. $1: job or NULL, $2: company or NULL, $3: at most, $4: skip,
-- $5: newest first.
SELECT f.id, f.job_id, f.company_id, f.number, f.filename, f.content_type, f.size, f.digest, f.created_at, f.note,
       r.removed_at, r.days AS removed_days, r.by_hand AS removed_by_hand
  FROM (
    SELECT a.id, a.job_id, a.company_id, a.number, a.filename, a.content_type, a.size, a.digest, a.created_at, NULL::text AS note
      FROM artifact a
     WHERE ($1::integer IS NULL OR a.job_id = $1) AND ($2::integer IS NULL OR a.company_id = $2)
    UNION ALL
    SELECT j.id * 1000::bigint + c.number, j.id, j.company_id, c.number, c.name || '.txt', 'text/plain',
           (c.told->>'length')::bigint, c.told->>'digest', j.finished_at, 'output of the job'
      FROM job j
     CROSS JOIN LATERAL (VALUES (901, 'stdout', j.stdout), (902, 'stderr', j.stderr)) AS c (number, name, told)
     WHERE j.id = $1 AND ($2::integer IS NULL OR j.company_id = $2) AND (c.told->>'length')::bigint > 0) f
  LEFT JOIN LATERAL (
    SELECT r.removed_at, r.days, r.by_hand FROM removal r
     WHERE r.company_id = f.company_id
       AND CASE WHEN f.number > 900
                THEN r.what = 'output' AND r.month = date_trunc('month', f.created_at AT TIME ZONE 'UTC')
                ELSE r.what = 'artifacts' AND r.before > f.created_at END
     ORDER BY r.removed_at LIMIT 1) r ON true
 ORDER BY CASE WHEN $5::boolean THEN -f.id ELSE f.id END LIMIT $3::bigint OFFSET coalesce($4::bigint, 0)
