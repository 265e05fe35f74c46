-- What commands read besides the stream they change. All from inline read models, which stand as the log stands.

-- name: allocate
-- Ids from a sequence. $1: sequence, $2: how many.
SELECT nextval($1::text::regclass)::integer FROM generate_series(1, $2::integer)

-- name: company
-- One company, also one that was removed. $1: id.
SELECT c.id, c.name, c.slug, c.enabled, c.time_zone, c.removed_at IS NOT NULL AS removed, c.stream_version
  FROM company c WHERE c.id = $1::integer

-- name: company_of_code
-- Whether another company has a code, whatever its case. $1: code, $2: company that may have it.
SELECT c.slug FROM company c WHERE lower(c.slug) = lower($1::text) AND c.id <> $2::integer AND c.removed_at IS NULL LIMIT 1

-- name: company_id_of_code
-- The company with a code, whatever its case. $1: code.
SELECT c.id FROM company c WHERE lower(c.slug) = lower($1::text) AND c.removed_at IS NULL LIMIT 1

-- name: application
-- One application, also one that was removed. $1: id.
SELECT a.id, a.name, a.version, a.enabled, a.removed_at IS NOT NULL AS removed, a.stream_version
  FROM application a WHERE a.id = $1::integer

-- name: application_of_uuid
-- The application with a UUID. $1: UUID.
SELECT a.id FROM application a WHERE a.uuid = $1::text AND a.removed_at IS NULL

-- name: run_template
-- One run template with its company and its application, also one that was removed. $1: id.
SELECT t.id, t.company_id, t.app_id AS application_id, t.executor, (t.document->>'priority')::integer AS priority,
       t.document->>'labels' AS labels, t.removed_at IS NOT NULL AS removed, t.stream_version,
       c.time_zone, c.enabled AND c.removed_at IS NULL AS company_enabled, c.stream_version AS company_version,
       a.name AS application_name, a.version AS application_version, a.stream_version AS application_stream_version,
       coalesce(a.enabled AND a.removed_at IS NULL, false) AS application_enabled
  FROM run_template t
  JOIN company c ON c.id = t.company_id
  LEFT JOIN application a ON a.id = t.app_id
 WHERE t.id = $1::integer

-- name: run_template_to_run
-- The same with a fresh id for a job of it: a round trip less before a job starts. $1: id.
SELECT t.id, t.company_id, t.app_id AS application_id, t.executor, (t.document->>'priority')::integer AS priority,
       t.document->>'labels' AS labels, t.removed_at IS NOT NULL AS removed, t.stream_version,
       c.time_zone, c.enabled AND c.removed_at IS NULL AS company_enabled, c.stream_version AS company_version,
       a.name AS application_name, a.version AS application_version,
       coalesce(a.enabled AND a.removed_at IS NULL, false) AS application_enabled,
       nextval('job_id')::integer AS job_id
  FROM run_template t
  JOIN company c ON c.id = t.company_id
  LEFT JOIN application a ON a.id = t.app_id
 WHERE t.id = $1::integer

-- name: run_templates_standing
-- Run templates with their companies and applications, each as its events left it but for what is sealed of it. $1: ids.
SELECT t.id, t.company_id, t.document || '{"environment": {}, "note": null}' AS document, t.removed_at IS NOT NULL AS removed, t.stream_version,
       c.time_zone, c.enabled AND c.removed_at IS NULL AS company_enabled, c.stream_version AS company_version,
       coalesce(a.enabled AND a.removed_at IS NULL, false) AS application_enabled
  FROM run_template t
  JOIN company c ON c.id = t.company_id
  LEFT JOIN application a ON a.id = t.app_id
 WHERE t.id = ANY ($1::integer[])

-- name: run_templates
-- Ids of run templates that are there. $1: company or NULL, $2: application or NULL.
SELECT t.id FROM run_template t
 WHERE t.removed_at IS NULL AND ($1::integer IS NULL OR t.company_id = $1) AND ($2::integer IS NULL OR t.app_id = $2)
 ORDER BY t.id

-- name: queued_jobs
-- Ids of the jobs of a run template that wait. $1: run template.
SELECT q.job_id FROM job_queue q WHERE q.run_template_id = $1::integer AND q.state = 'queued' ORDER BY q.job_id

-- name: queued_jobs_of
-- Jobs of run templates that wait. $1: run templates.
SELECT q.run_template_id, q.job_id FROM job_queue q WHERE q.run_template_id = ANY ($1::integer[]) AND q.state = 'queued' ORDER BY q.job_id

-- name: company_of_uuid
-- A company by its UUID, also one that was removed. $1: UUID.
SELECT c.id, c.removed_at IS NOT NULL AS removed FROM company c WHERE c.uuid = $1::text ORDER BY c.id LIMIT 1

-- name: run_template_of_uuid
-- A run template by its UUID, also one that was removed. $1: UUID.
SELECT t.id, t.app_id AS application_id, t.removed_at IS NOT NULL AS removed FROM run_template t WHERE t.uuid = $1::text ORDER BY t.id LIMIT 1

-- name: idempotency_key
-- What a command with this key was answered. $1: key.
SELECT k.fingerprint, k.result FROM idempotency_keys k WHERE k.key = $1::text

-- name: projection
-- Where a projection stands. $1: name.
SELECT p.inline, p.epoch, p.xid, p.position FROM projections p WHERE p.name = $1::text

-- name: run_templates_scheduled
-- Ids of the active run templates that have a schedule. $1: company or NULL, $2: application or NULL.
SELECT t.id FROM run_template t
 WHERE ($1::integer IS NULL OR t.company_id = $1) AND ($2::integer IS NULL OR t.app_id = $2) AND t.removed_at IS NULL AND t.active AND t.interv <> 'n'
 ORDER BY t.id

-- name: settings_of_application
-- What a company sets and what an application takes. $1: application, $2: run template or NULL.
SELECT a.id, a.document->'definition' AS definition,
       (SELECT t.document->'environment' FROM run_template t WHERE t.id = $2::integer) AS environment
  FROM application a WHERE a.id = $1::integer

-- name: application_version
-- A definition that an application has had, the newest of that version, or the one it has now. $1: application, $2: version or NULL.
SELECT v.definition, v.member_order, v.version FROM application_version v
 WHERE v.application_id = $1::integer AND ($2::text IS NULL OR v.version = $2) ORDER BY v.number DESC LIMIT 1

-- name: applications_without_template
-- Applications that a company has and has no run template of. $1: company.
SELECT a.id, a.name
  FROM company_app x JOIN application a ON a.id = x.app_id AND a.removed_at IS NULL
 WHERE x.company_id = $1::integer
   AND NOT EXISTS (SELECT FROM run_template t WHERE t.company_id = x.company_id AND t.app_id = x.app_id AND t.removed_at IS NULL)
 ORDER BY a.id

-- name: company_app
-- Whether a company has an application. $1: company, $2: application.
SELECT x.app_id AS id FROM company_app x WHERE x.company_id = $1::integer AND x.app_id = $2::integer

-- name: apps_of_company
-- Ids of the applications of a company that are there and enabled. $1: company.
SELECT a.id FROM company_app x JOIN application a ON a.id = x.app_id
 WHERE x.company_id = $1::integer AND a.removed_at IS NULL AND a.enabled ORDER BY a.id

-- name: run_templates_by_company_time
-- Ids of the active run templates of a company that are due by its time zone. $1: company.
SELECT t.id FROM run_template t
 WHERE t.company_id = $1::integer AND t.removed_at IS NULL AND t.active AND t.interv <> 'n' AND t.document->>'time_zone' IS NULL
 ORDER BY t.id

-- name: credential_prototype
-- One credential prototype, also one that was removed. $1: id.
SELECT p.id, p.uuid, p.code, p.name, p.version, p.document->'definition' AS definition, p.removed_at IS NOT NULL AS removed,
       p.stream_version
  FROM credential_prototype p WHERE p.id = $1::integer

-- name: credential_prototype_of_uuid
-- The credential prototype with a UUID. $1: UUID.
SELECT p.id, p.document->>'digest' AS digest, p.version FROM credential_prototype p WHERE p.uuid = $1::text AND p.removed_at IS NULL

-- name: credential_prototype_of_code
-- The credential prototype with a code, whatever its case. $1: code.
SELECT p.id, p.uuid, p.code FROM credential_prototype p WHERE lower(p.code) = lower($1::text) AND p.removed_at IS NULL

-- name: credential_prototype_use
-- Whether credential types are made of a prototype, and of each of its fields how many types and credentials have values of it.
-- $1: prototype.
SELECT (SELECT count(*) FROM credential_type y WHERE y.prototype_id = $1::integer AND y.removed_at IS NULL)::integer AS types,
       coalesce((SELECT jsonb_object_agg(u.field, u.used) FROM (
           SELECT f.field, count(*) AS used
             FROM (SELECT jsonb_object_keys(y.document->'values') AS field
                     FROM credential_type y WHERE y.prototype_id = $1 AND y.removed_at IS NULL
                    UNION ALL
                   SELECT jsonb_object_keys(c.document->'values')
                     FROM credential c JOIN credential_type y ON y.id = c.credential_type_id
                    WHERE y.prototype_id = $1 AND c.removed_at IS NULL) f
            GROUP BY 1) u), '{}') AS fields

-- name: credential_prototype_users
-- The document of a credential prototype, and what is made of it, with the names of the values: types, then credentials.
-- $1: prototype, $2: at most so many of each.
SELECT p.document->'definition' AS definition,
       (SELECT count(*) FROM credential c JOIN credential_type y ON y.id = c.credential_type_id
         WHERE y.prototype_id = p.id AND c.removed_at IS NULL)::integer AS credentials,
       coalesce((SELECT jsonb_agg(u.told ORDER BY u.kind DESC, u.id) FROM (
           (SELECT 'type' AS kind, y.id, jsonb_build_object('kind', 'type', 'id', y.id, 'name', y.name, 'company_id', y.company_id,
                   'own', to_jsonb(ARRAY(SELECT jsonb_object_keys(y.document->'values'))), 'shared', '[]'::jsonb) AS told
              FROM credential_type y WHERE y.prototype_id = p.id AND y.removed_at IS NULL ORDER BY y.id LIMIT $2::bigint)
            UNION ALL
           (SELECT 'credential', c.id, jsonb_build_object('kind', 'credential', 'id', c.id, 'name', c.name, 'company_id', c.company_id,
                   'own', to_jsonb(ARRAY(SELECT jsonb_object_keys(c.document->'values'))),
                   'shared', to_jsonb(ARRAY(SELECT jsonb_object_keys(y.document->'values'))))
              FROM credential c JOIN credential_type y ON y.id = c.credential_type_id
             WHERE y.prototype_id = p.id AND c.removed_at IS NULL ORDER BY c.id LIMIT $2)) u), '[]') AS users
  FROM credential_prototype p WHERE p.id = $1::integer

-- name: credential_type
-- One credential type with the fields of its prototype, also one that was removed. $1: id.
SELECT y.id, y.company_id, y.name, y.prototype_id, p.code AS prototype, p.document->'definition' AS definition,
       y.document->'values' AS values, y.removed_at IS NOT NULL AS removed, y.stream_version, p.stream_version AS prototype_version
  FROM credential_type y JOIN credential_prototype p ON p.id = y.prototype_id
 WHERE y.id = $1::integer

-- name: credentials_of_type
-- Ids of the credentials of a type. $1: type.
SELECT c.id FROM credential c WHERE c.credential_type_id = $1::integer AND c.removed_at IS NULL ORDER BY c.id

-- name: credentials_of_company
-- Ids of the credentials of a company. $1: company.
SELECT c.id FROM credential c WHERE c.company_id = $1::integer AND c.removed_at IS NULL ORDER BY c.id

-- name: types_of_company
-- Ids of the credential types of a company. $1: company.
SELECT y.id FROM credential_type y WHERE y.company_id = $1::integer AND y.removed_at IS NULL ORDER BY y.id

-- name: credential
-- One credential with its type and the fields of its prototype, also one that was removed. $1: id.
SELECT c.id, c.company_id, c.name, c.credential_type_id, p.code AS prototype, p.document->'definition' AS definition,
       y.document->'values' AS shared, c.document->'values' AS values, coalesce((c.document->>'write_only')::boolean, false) AS write_only,
       c.removed_at IS NOT NULL AS removed, c.stream_version
  FROM credential c
  JOIN credential_type y ON y.id = c.credential_type_id
  JOIN credential_prototype p ON p.id = y.prototype_id
 WHERE c.id = $1::integer

-- name: templates_of_credential
-- Ids of the run templates that a credential is assigned to. $1: credential.
SELECT a.run_template_id FROM run_template_credential a WHERE a.credential_id = $1::integer ORDER BY a.run_template_id

-- name: credential_values
-- The environments around a run template and the credentials that its jobs get. $1: run template.
SELECT t.id, t.company_id, t.name, t.document->'environment' AS template_environment, c.document->'environment' AS company_environment,
       a.document->'definition' AS definition, credentials_of(t.id) AS credentials
  FROM run_template t
  JOIN company c ON c.id = t.company_id
  LEFT JOIN application a ON a.id = t.app_id
 WHERE t.id = $1::integer

-- name: company_of_run_template
-- The company and name of a run template that is there. $1: id.
SELECT t.id, t.company_id, t.name, t.removed_at IS NOT NULL AS removed, t.stream_version FROM run_template t WHERE t.id = $1::integer

-- name: user
-- One user, also one that was removed. $1: id.
SELECT u.id, u.enabled, u.removed_at IS NOT NULL AS removed, u.stream_version,
       ARRAY(SELECT r.role FROM user_role r WHERE r.user_id = u.id ORDER BY r.role) AS roles
  FROM user_account u WHERE u.id = $1::integer

-- name: user_of_login
-- A user by the keyed hash of the login. $1: hash.
SELECT u.id, u.enabled FROM user_account u WHERE u.login_key = $1::text AND u.removed_at IS NULL

-- name: user_of_email
-- A user by the keyed hash of the e-mail address. $1: hash.
SELECT u.id, u.enabled FROM user_account u WHERE u.email_key = $1::text AND u.removed_at IS NULL

-- name: user_of_uuid
-- A user by the UUID. $1: UUID.
SELECT u.id, u.enabled FROM user_account u WHERE u.uuid = $1::text AND u.removed_at IS NULL

-- name: user_of_identity
-- The user that an account at an OpenID provider signs in. $1: keyed hash of issuer and subject.
SELECT i.user_id AS id FROM user_identity i WHERE i.subject_key = $1::text

-- name: user_of_passkey
-- The user that a passkey signs in. $1: id that its device gave it (base64url).
SELECT p.user_id AS id FROM user_passkey p WHERE p.credential_id = $1::text

-- name: some_super_admin
-- A user other than one who may do everything for good. $1: that one.
SELECT r.user_id AS id FROM user_role r JOIN user_account u ON u.id = r.user_id
 WHERE r.role = 'super_admin' AND r.until IS NULL AND r.user_id <> $1::integer AND u.enabled AND u.removed_at IS NULL LIMIT 1

-- name: any_user
-- Whether there is, or ever was, any user.
SELECT u.id FROM user_account u LIMIT 1

-- name: membership_of
-- The membership of a user in a company, also one that was revoked. $1: user, $2: company.
SELECT m.id, m.role, m.more, m.less, m.revoked_at IS NOT NULL AS revoked, m.stream_version
  FROM membership m WHERE m.user_id = $1::integer AND m.company_id = $2::integer

-- name: membership_of_group
-- The membership of a group in a company, also one that was revoked. $1: group, $2: company.
SELECT m.id, m.role, m.more, m.less, m.revoked_at IS NOT NULL AS revoked, m.stream_version
  FROM membership m WHERE m.user_group_id = $1::integer AND m.company_id = $2::integer

-- name: memberships
-- Ids of the memberships of a user. $1: user.
SELECT m.id FROM membership m WHERE m.user_id = $1::integer AND m.revoked_at IS NULL ORDER BY m.id

-- name: memberships_of_company
-- Ids of the memberships of users and groups in a company. $1: company.
SELECT m.id FROM membership m WHERE m.company_id = $1::integer AND m.revoked_at IS NULL ORDER BY m.id

-- name: requests_of_company
-- Ids of the requests for access to a company that nobody has answered. $1: company.
SELECT r.id FROM access_request r WHERE r.company_id = $1::integer AND r.state = 'open' ORDER BY r.id

-- name: memberships_of_group
-- Ids of the memberships of a group. $1: group.
SELECT m.id FROM membership m WHERE m.user_group_id = $1::integer AND m.revoked_at IS NULL ORDER BY m.id

-- name: user_group
-- One group of users, also one that was removed. $1: id.
SELECT g.id, g.name, g.removed_at IS NOT NULL AS removed, g.stream_version FROM user_group g WHERE g.id = $1::integer

-- name: groups_of_user
-- Ids of the groups that a user is in. $1: user.
SELECT m.user_group_id FROM user_group_member m WHERE m.user_id = $1::integer ORDER BY 1

-- name: access_request
-- One request for access. $1: id.
SELECT r.id, r.company_id, r.user_id, r.role, r.until, r.state, false AS removed, r.stream_version
  FROM access_request r WHERE r.id = $1::integer

-- name: open_requests
-- Ids of the requests of a user that nobody has answered. $1: user.
SELECT r.id FROM access_request r WHERE r.user_id = $1::integer AND r.state = 'open' ORDER BY 1

-- name: actor
-- What a user may do at a moment: system roles, and roles in companies, their own and those of their groups. No row if the user is not there or not enabled.
-- $1: user, $2: moment.
SELECT u.id,
       ARRAY(SELECT r.role FROM user_role r WHERE r.user_id = u.id AND (r.until IS NULL OR r.until > $2::timestamptz)
             ORDER BY 1) AS roles,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('company_id', m.company_id, 'role', m.role, 'more', m.more, 'less', m.less)), '[]')
          FROM membership m JOIN company c ON c.id = m.company_id AND c.removed_at IS NULL
         WHERE (m.user_id = u.id
                OR m.user_group_id IN (SELECT g.user_group_id FROM user_group_member g
                                        WHERE g.user_id = u.id AND (g.until IS NULL OR g.until > $2::timestamptz)))
           AND m.revoked_at IS NULL AND (m.until IS NULL OR m.until > $2::timestamptz)) AS grants
  FROM user_account u
 WHERE u.id = $1::integer AND u.enabled AND u.removed_at IS NULL

-- name: companies_with_keys
-- Ids of the companies that have credentials, types of them, or environments.
SELECT y.company_id FROM credential_type y WHERE y.removed_at IS NULL
UNION SELECT k.company_id FROM data_keys k WHERE k.owner LIKE 'environment:%' AND k.company_id IS NOT NULL
 ORDER BY 1

-- name: count_outdated
-- How many credentials, types, companies and run templates have values under a key that was replaced. $1: company or NULL.
SELECT ((SELECT count(*) FROM credential c
          WHERE c.removed_at IS NULL AND ($1::integer IS NULL OR c.company_id = $1) AND EXISTS (
                SELECT FROM jsonb_each(c.document->'values') v JOIN data_keys k ON k.id = (v.value->>'key')::bigint
                 WHERE k.retired_at IS NOT NULL))
        + (SELECT count(*) FROM credential_type y
            WHERE y.removed_at IS NULL AND ($1::integer IS NULL OR y.company_id = $1) AND EXISTS (
                  SELECT FROM jsonb_each(y.document->'values') v JOIN data_keys k ON k.id = (v.value->>'key')::bigint
                   WHERE k.retired_at IS NOT NULL))
        + (SELECT count(*) FROM company c JOIN data_keys k ON k.id = (c.document->'environment'->>'key')::bigint
            WHERE k.retired_at IS NOT NULL AND c.removed_at IS NULL AND ($1::integer IS NULL OR c.id = $1))
        + (SELECT count(*) FROM run_template t JOIN data_keys k ON k.id = (t.document->'environment'->>'key')::bigint
            WHERE k.retired_at IS NOT NULL AND t.removed_at IS NULL AND ($1::integer IS NULL OR t.company_id = $1)))::integer AS outdated

-- name: outdated_credentials
-- Credentials with values under a key that was replaced, by id. $1: after this id, $2: at most, $3: company or NULL.
SELECT c.id, c.company_id, c.document->'values' AS values, c.stream_version
  FROM credential c
 WHERE c.id > $1::integer AND c.removed_at IS NULL AND ($3::integer IS NULL OR c.company_id = $3) AND EXISTS (
       SELECT FROM jsonb_each(c.document->'values') v JOIN data_keys k ON k.id = (v.value->>'key')::bigint
        WHERE k.retired_at IS NOT NULL)
 ORDER BY c.id LIMIT $2::integer

-- name: outdated_types
-- Credential types with values under a key that was replaced, by id. $1: after this id, $2: at most, $3: company or NULL.
SELECT y.id, y.company_id, y.document->'values' AS values, y.stream_version
  FROM credential_type y
 WHERE y.id > $1::integer AND y.removed_at IS NULL AND ($3::integer IS NULL OR y.company_id = $3) AND EXISTS (
       SELECT FROM jsonb_each(y.document->'values') v JOIN data_keys k ON k.id = (v.value->>'key')::bigint
        WHERE k.retired_at IS NOT NULL)
 ORDER BY y.id LIMIT $2::integer

-- name: outdated_companies
-- Companies whose environment is under a key that was replaced, by id. $1: after this id, $2: at most, $3: company or NULL.
SELECT c.id, c.id AS company_id, c.document->'environment' AS environment, c.stream_version
  FROM company c JOIN data_keys k ON k.id = (c.document->'environment'->>'key')::bigint
 WHERE c.id > $1::integer AND c.removed_at IS NULL AND ($3::integer IS NULL OR c.id = $3) AND k.retired_at IS NOT NULL
 ORDER BY c.id LIMIT $2::integer

-- name: outdated_run_templates
-- Run templates whose environment is under a key that was replaced, by id. $1: after this id, $2: at most, $3: company or NULL.
SELECT t.id, t.company_id, t.document->'environment' AS environment, t.stream_version
  FROM run_template t JOIN data_keys k ON k.id = (t.document->'environment'->>'key')::bigint
 WHERE t.id > $1::integer AND t.removed_at IS NULL AND ($3::integer IS NULL OR t.company_id = $3) AND k.retired_at IS NOT NULL
 ORDER BY t.id LIMIT $2::integer

-- name: forget_old_keys
-- Destroys keys of credentials that were replaced a minute ago or earlier and that no value is encrypted under any more.
DELETE FROM data_keys k
 WHERE k.owner LIKE 'credentials:%' AND k.retired_at < now() - interval '1 minute'
   AND NOT EXISTS (SELECT FROM credential c, jsonb_each(c.document->'values') v
                    WHERE c.company_id = k.company_id AND c.removed_at IS NULL AND (v.value->>'key')::bigint = k.id)
   AND NOT EXISTS (SELECT FROM credential_type y, jsonb_each(y.document->'values') v
                    WHERE y.company_id = k.company_id AND y.removed_at IS NULL AND (v.value->>'key')::bigint = k.id)
RETURNING k.id

-- name: api_token_of_digest
-- The good token with a digest; that it was used is put down, at most once a minute. $1: SHA-256 in hex, $2: moment.
WITH found AS (
    SELECT t.id, t.user_id,
           CASE WHEN t.document->'permissions' <> 'null' THEN ARRAY(SELECT jsonb_array_elements_text(t.document->'permissions')) END AS permissions,
           CASE WHEN t.document->'companies' <> 'null' THEN ARRAY(SELECT jsonb_array_elements_text(t.document->'companies')::integer) END AS companies
      FROM api_token t
     WHERE t.digest = $1::text AND t.revoked_at IS NULL
       AND (t.document->>'until' IS NULL OR (t.document->>'until')::timestamptz > $2::timestamptz)
), used AS (
    INSERT INTO api_token_use AS u (token_id, used_at) SELECT f.id, $2::timestamptz FROM found f
    ON CONFLICT (token_id) DO UPDATE SET used_at = excluded.used_at WHERE u.used_at < excluded.used_at - interval '1 minute'
)
SELECT f.id, f.user_id, f.permissions, f.companies FROM found f

-- name: api_token
-- Whose an API token is. $1: id.
SELECT t.id, t.user_id, t.revoked_at IS NOT NULL AS removed, t.stream_version FROM api_token t WHERE t.id = $1::integer

-- name: application_document
-- A definition as it stands in the catalogue, with how many run templates use it, and the first of them with what they set. $1: UUID,
-- $2: at most so many run templates, or NULL.
SELECT a.id, a.name, a.version, a.document->'definition' AS definition, coalesce(a.document->'order', '{}') AS member_order,
       a.document->>'digest' AS digest,
       (SELECT count(*) FROM run_template t WHERE t.app_id = a.id AND t.removed_at IS NULL) AS used_by,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('id', u.id, 'name', u.name, 'company_id', u.company_id,
                   'environment', u.environment)), '[]')
          FROM (SELECT t.id, t.name, t.company_id, t.document->'environment' AS environment
                  FROM run_template t WHERE t.app_id = a.id AND t.removed_at IS NULL ORDER BY t.id LIMIT $2::bigint) u) AS templates
  FROM application a WHERE a.uuid = $1::text AND a.removed_at IS NULL

-- name: sheet_companies
-- Companies by their codes in small letters, with what an import of companies looks for in them, as one JSON array. $1: codes.
SELECT coalesce(jsonb_agg(jsonb_build_object(
           'id', c.id, 'code', c.slug, 'archived', c.archived, 'document', c.document - '{email,environment,logo}'::text[],
           'types', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', y.id, 'name', y.name, 'prototype_id', y.prototype_id) ORDER BY y.id), '[]')
                       FROM credential_type y WHERE y.company_id = c.id AND y.removed_at IS NULL),
           'credentials', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', r.id, 'name', r.name, 'type_id', r.credential_type_id) ORDER BY r.id), '[]')
                             FROM credential r WHERE r.company_id = c.id AND r.removed_at IS NULL),
           'templates', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                                    'id', t.id, 'name', t.name, 'application_id', t.app_id, 'document', t.document,
                                    'credentials', ARRAY(SELECT a.credential_id FROM run_template_credential a WHERE a.run_template_id = t.id)
                                ) ORDER BY t.id), '[]')
                           FROM run_template t WHERE t.company_id = c.id AND t.removed_at IS NULL))), '[]') AS companies
  FROM company c WHERE lower(c.slug) = ANY ($1::text[]) AND c.removed_at IS NULL

-- name: sheet_sealed
-- What is stored encrypted of companies and of their credentials, as one JSON array. $1: companies.
SELECT coalesce(jsonb_agg(jsonb_build_object(
           'id', c.id, 'email', c.document->'email', 'environment', c.document->'environment',
           'credentials', (SELECT coalesce(jsonb_object_agg(r.id, r.document->'values'), '{}')
                             FROM credential r WHERE r.company_id = c.id AND r.removed_at IS NULL))), '[]') AS companies
  FROM company c WHERE c.id = ANY ($1::integer[]) AND c.removed_at IS NULL

-- name: company_to_clone
-- A company with all that one like it gets, as a JSON object. $1: company.
SELECT jsonb_build_object(
           'document', c.document,
           'applications', ARRAY(SELECT x.app_id FROM company_app x JOIN application a ON a.id = x.app_id
                                  WHERE x.company_id = c.id AND a.removed_at IS NULL ORDER BY x.app_id),
           'types', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', y.id, 'name', y.name, 'prototype_id', y.prototype_id,
                                'values', y.document->'values', 'definition', p.document->'definition') ORDER BY y.id), '[]')
                       FROM credential_type y JOIN credential_prototype p ON p.id = y.prototype_id
                      WHERE y.company_id = c.id AND y.removed_at IS NULL),
           'credentials', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', r.id, 'name', r.name, 'type_id', r.credential_type_id,
                                      'write_only', coalesce((r.document->>'write_only')::boolean, false),
                                      'rotate_every', (r.document->>'rotate_every')::integer) ORDER BY r.id), '[]')
                             FROM credential r WHERE r.company_id = c.id AND r.removed_at IS NULL),
           'templates', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', t.id, 'document', t.document, 'definition', a.document->'definition',
                                    'credentials', ARRAY(SELECT m.credential_id FROM run_template_credential m
                                                          WHERE m.run_template_id = t.id ORDER BY m.position)) ORDER BY t.id), '[]')
                           FROM run_template t JOIN application a ON a.id = t.app_id
                          WHERE t.company_id = c.id AND t.removed_at IS NULL)) AS source
  FROM company c WHERE c.id = $1::integer

-- name: customer
-- One customer, also one that was removed. $1: id.
SELECT t.id, t.removed_at IS NOT NULL AS removed, t.stream_version FROM customer t WHERE t.id = $1::integer

-- name: server
-- One server, also one that was removed. $1: id.
SELECT t.id, t.removed_at IS NOT NULL AS removed, t.stream_version FROM server t WHERE t.id = $1::integer

-- name: companies_of_customer
-- Ids of the companies that belong to a customer. $1: customer.
SELECT c.id FROM company c WHERE (c.document->>'customer_id')::integer = $1::integer AND c.removed_at IS NULL ORDER BY c.id

-- name: companies_of_server
-- Ids of the companies that use a server. $1: server.
SELECT c.id FROM company c WHERE (c.document->>'server_id')::integer = $1::integer AND c.removed_at IS NULL ORDER BY c.id

-- name: sheet_application
-- An application by id, UUID or name, and how many have that. $1: what it is called.
SELECT a.id, a.name, a.enabled, a.document->'definition' AS definition, count(*) OVER () AS found
  FROM application a
 WHERE a.removed_at IS NULL AND (a.id::text = $1::text OR a.uuid = lower($1) OR lower(a.name) = lower($1))
 ORDER BY a.id::text = $1 DESC, a.id LIMIT 1

-- name: sheet_prototype
-- A credential prototype by id or code, whatever its case. $1: what it is called.
SELECT p.id, p.name, p.code, p.document->'definition' AS definition
  FROM credential_prototype p
 WHERE p.removed_at IS NULL AND (p.id::text = $1::text OR lower(p.code) = lower($1)) ORDER BY p.id LIMIT 1

-- name: count_refusal
-- Counts a refusal of a user, for an hour from the first on. $1: user, $2: kinds that it is counted as.
INSERT INTO refusal_count AS r (user_id, what, since, refusals)
SELECT $1::integer, k.what, clock_timestamp(), 1 FROM unnest($2::text[]) AS k (what) ORDER BY k.what
ON CONFLICT (user_id, what) DO UPDATE
   SET refusals = CASE WHEN r.since <= clock_timestamp() - interval '1 hour' THEN 1 ELSE r.refusals + 1 END,
       since = CASE WHEN r.since <= clock_timestamp() - interval '1 hour' THEN clock_timestamp() ELSE r.since END
RETURNING r.what, r.refusals

-- name: whose_access_request
-- The company of a request for access. $1: id.
SELECT t.company_id FROM access_request t WHERE t.id = $1::integer

-- name: whose_artifact
-- The company of a file that a job left. $1: id.
SELECT t.company_id FROM artifact t WHERE t.id = $1::integer

-- name: whose_company
-- A company. $1: id.
SELECT t.id AS company_id FROM company t WHERE t.id = $1::integer

-- name: whose_code
-- A company. $1: its code.
SELECT t.id AS company_id FROM company t WHERE lower(t.slug) = lower($1::text) AND t.removed_at IS NULL

-- name: whose_credential
-- The company of a credential. $1: id.
SELECT t.company_id FROM credential t WHERE t.id = $1::integer

-- name: whose_credential_type
-- The company of a credential type. $1: id.
SELECT t.company_id FROM credential_type t WHERE t.id = $1::integer

-- name: whose_job
-- The company of a job, from the queue or from the history. $1: id.
SELECT q.company_id FROM job_queue q WHERE q.job_id = $1::integer
UNION ALL SELECT t.company_id FROM job t WHERE t.id = $1::integer
 LIMIT 1

-- name: whose_run_template
-- The company of a run template. $1: id.
SELECT t.company_id FROM run_template t WHERE t.id = $1::integer

-- name: whose_task
-- The company of a task. $1: id.
SELECT t.company_id FROM task t WHERE t.id = $1::integer

-- name: erasure
-- One request for the erasure of a user. $1: id.
SELECT r.id, r.user_id, r.deletion_type, r.status, r.requested_by, r.closed_at, false AS removed, r.stream_version
  FROM erasure_request r WHERE r.id = $1::integer

-- name: open_erasure
-- The open request for the erasure of a user. $1: user.
SELECT r.id, r.deletion_type, r.status, r.requested_at FROM erasure_request r
 WHERE r.user_id = $1::integer AND r.status IN ('pending', 'approved', 'processing')

-- name: old_erasures
-- Ids of requests that were closed before a moment and whose key is there still. $1: moment, $2: statuses of those that are closed.
SELECT r.id FROM erasure_request r
 WHERE r.closed_at < $1::timestamptz AND r.status = ANY ($2::text[])
   AND (r.forgotten_at IS NULL OR EXISTS (SELECT FROM data_keys k WHERE k.owner = 'erasure:' || r.id))
 ORDER BY 1

-- name: tokens_of_user
-- Ids of the API tokens of a user that were not revoked. $1: user.
SELECT t.id FROM api_token t WHERE t.user_id = $1::integer AND t.revoked_at IS NULL ORDER BY 1

-- name: passkeys_of_user
-- Ids of the passkeys of a user. $1: user.
SELECT p.credential_id FROM user_passkey p WHERE p.user_id = $1::integer ORDER BY 1

-- name: identities_of_user
-- Keyed hashes of the accounts elsewhere that sign a user in. $1: user.
SELECT i.subject_key FROM user_identity i WHERE i.user_id = $1::integer ORDER BY 1

-- name: forget_sign_in
-- Removes what signing in keeps of a user; how many sessions ended. $1: user, $2: keys of their attempts.
WITH ended AS (DELETE FROM user_session s WHERE s.user_id = $1::integer RETURNING 1),
     void AS (DELETE FROM one_time_secret o WHERE o.user_id = $1),
     step AS (DELETE FROM totp_use t WHERE t.user_id = $1),
     used AS (DELETE FROM passkey_use p WHERE p.user_id = $1),
     calls AS (DELETE FROM api_token_use u USING api_token t WHERE t.id = u.token_id AND t.user_id = $1),
     tried AS (DELETE FROM sign_in_attempt a WHERE a.key = ANY ($2::text[])),
     refused AS (DELETE FROM refusal_count r WHERE r.user_id = $1)
SELECT count(*) FROM ended
