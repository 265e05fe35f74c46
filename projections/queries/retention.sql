-- name: rules
-- For how many days each company keeps what its jobs leave; NULL: for ever. $1: company or NULL.
SELECT c.id, (c.document->>'keep_output')::integer AS output, (c.document->>'keep_artifacts')::integer AS artifacts,
       (c.document->>'keep_history')::integer AS history
  FROM company c WHERE $1::integer IS NULL OR c.id = $1 ORDER BY c.id

-- name: output_keys
-- The months of whose output a company still has the key. $1: company.
SELECT k.owner, split_part(k.owner, ':', 3) AS month FROM data_keys k
 WHERE k.company_id = $1::integer AND k.owner LIKE 'output:%' ORDER BY k.owner

-- name: output
-- What jobs of a company wrote in a month. $1: company, $2: first day of the month.
SELECT count(DISTINCT o.job_id) AS jobs, coalesce(sum(o.chunks), 0)::bigint AS chunks, coalesce(sum(o.bytes), 0)::bigint AS bytes
  FROM job_output o WHERE o.company_id = $1::integer AND o.month = $2::text::date

-- name: artifacts
-- Files of jobs of a company that ended between two moments. $1: company, $2: from, $3: until.
SELECT count(*) AS files, coalesce(sum(a.size), 0)::bigint AS bytes
  FROM artifact a WHERE a.company_id = $1::integer AND a.created_at >= $2::timestamptz AND a.created_at < $3::timestamptz

-- name: artifacts_before
-- The moment before which files of a company were given up already; NULL: none were. $1: the company's stream.
SELECT max((e.data->>'before')::timestamptz) FROM events e WHERE e.stream = $1::text AND e.type = 'ArtifactsRemoved'

-- name: collect
-- Deletes contents that nothing refers to; see collect_artifacts().
SELECT c.contents, c.bytes FROM collect_artifacts($1::integer, $2::timestamptz, make_interval(secs => $3::double precision), $4::integer) c

-- name: unreferenced
-- Contents that collect_artifacts() would delete now. $1: company, $2: moment from which files count, $3: seconds stored at least.
SELECT count(*) AS contents, coalesce(sum(octet_length(c.payload)), 0)::bigint AS bytes
  FROM artifact_content c
 WHERE c.company_id = $1::integer AND c.stored_at < clock_timestamp() - make_interval(secs => $3::double precision)
   AND NOT EXISTS (SELECT FROM artifact a
                    WHERE a.company_id = c.company_id AND a.digest = c.digest
                      AND a.created_at >= coalesce($2::timestamptz, '-infinity'))
   AND NOT EXISTS (SELECT FROM artifact_use u
                    WHERE u.company_id = c.company_id AND u.digest = c.digest AND NOT artifacts_are_listed(u.job_id, u.since))

-- name: history
-- The oldest jobs of a company that ended between two moments, and when the last of them did.
-- $1: company, $2: from, $3: until, $4: at most.
SELECT count(*) AS jobs, max(j.ended) AS last
  FROM (SELECT coalesce(j.finished_at, j.cancelled_at) AS ended FROM job j
         WHERE j.company_id = $1::integer AND coalesce(j.finished_at, j.cancelled_at) >= $2::timestamptz
           AND coalesce(j.finished_at, j.cancelled_at) < $3::timestamptz
         ORDER BY 1 LIMIT $4::integer) j

-- name: tasks
-- Tasks of a company that ended between two moments. $1: company, $2: from, $3: until.
SELECT count(*) FROM task t WHERE t.company_id = $1::integer AND t.ended_at >= $2::timestamptz AND t.ended_at < $3::timestamptz

-- name: nth_newest
-- When the job ended of which so many newer ones have ended; NULL: there are not so many. $1: company or NULL, $2: how many.
SELECT coalesce(j.finished_at, j.cancelled_at) AS ended FROM job j
 WHERE ($1::integer IS NULL OR j.company_id = $1) AND coalesce(j.finished_at, j.cancelled_at) IS NOT NULL
 ORDER BY 1 DESC OFFSET $2::bigint LIMIT 1

-- name: unreadable_month
-- Whether no company can read output of a month any more, and it was signed. $1: the month, such as 2026-02, $2: its partition.
SELECT NOT EXISTS (SELECT FROM data_keys k WHERE k.owner LIKE 'output:%:' || $1::text)
       AND EXISTS (SELECT FROM tree_sizes s WHERE s.tree = $2::text)

-- name: forget_month
-- Takes the figures of a month's output away, once it is not in the log any more. $1: first day of the month.
DELETE FROM job_output WHERE month = $1::text::date

-- name: of_job
-- What was removed of a job by retention, with when and by which rule; the first removal that concerned it counts.
-- $1: company, $2: when it started, $3: when it ended.
SELECT DISTINCT ON (r.what) r.what, r.removed_at, r.days, r.by_hand
  FROM removal r
 WHERE r.company_id = $1::integer
   AND (r.what = 'output' AND r.month BETWEEN date_trunc('month', $2::timestamptz AT TIME ZONE 'UTC')
                                          AND date_trunc('month', coalesce($3::timestamptz, now()) AT TIME ZONE 'UTC')
        OR r.what = 'artifacts' AND r.before > $3)
 ORDER BY r.what, r.removed_at

-- name: of_history
-- The removal that took a job out of the history, if one did. $1: its stream.
SELECT r.removed_at, r.days, r.by_hand
  FROM streams s
  LEFT JOIN events e ON e.stream = s.stream AND e.version = s.version
  JOIN removal r ON r.company_id = s.company_id AND r.what = 'history'
   AND r.before > coalesce(e.data->>'finished_at', e.data->>'cancelled_at', s.last_time::text)::timestamptz
 WHERE s.stream = $1::text
 ORDER BY r.removed_at LIMIT 1

-- name: list
-- What was removed, newest first. $1: company or NULL, $2: at most, $3: skip.
SELECT r.id, r.company_id, r.what, to_char(r.month, 'YYYY-MM') AS month, r.before, r.days, r.by_hand, r.removed_at, r.jobs,
       r.things, r.bytes
  FROM removal r WHERE $1::integer IS NULL OR r.company_id = $1
 ORDER BY r.id DESC LIMIT $2::bigint OFFSET coalesce($3::bigint, 0)

-- name: destroy_keys_of_removed
-- Destroys the keys of credentials and environments of companies that were removed.
DELETE FROM data_keys k USING company c
 WHERE c.removed_at IS NOT NULL AND k.company_id = c.id AND k.owner IN ('credentials:' || c.id, 'environment:' || c.id)
