-- Users as they stand. Who they are is ciphertext; keyed hashes find them and keep logins and addresses unique.
CREATE TABLE user_account (
    id             integer     PRIMARY KEY,
    company_id     integer,
    document       jsonb       NOT NULL,
    uuid           text        GENERATED ALWAYS AS (document->>'uuid') STORED,
    login_key      text        GENERATED ALWAYS AS (document->>'login_key') STORED,
    email_key      text        GENERATED ALWAYS AS (document->>'email_key') STORED,
    enabled        boolean     GENERATED ALWAYS AS ((document->>'enabled')::boolean) STORED,
    created_at     timestamptz NOT NULL,
    changed_at     timestamptz NOT NULL,
    changed_by     text,
    removed_at     timestamptz,
    stream_version integer     NOT NULL
);
CREATE UNIQUE INDEX user_login_key ON user_account (login_key) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX user_email_key ON user_account (email_key) WHERE removed_at IS NULL;
CREATE UNIQUE INDEX user_uuid_key ON user_account (uuid);

-- System roles of users, and until when.
CREATE TABLE user_role (
    user_id    integer     NOT NULL,
    company_id integer,
    role       text        NOT NULL,
    until      timestamptz,
    granted_at timestamptz NOT NULL,
    granted_by text,
    PRIMARY KEY (user_id, role)
);

-- Accounts at OpenID providers that sign users in.
CREATE TABLE user_identity (
    subject_key text        PRIMARY KEY,
    company_id  integer,
    user_id     integer     NOT NULL,
    issuer      text        NOT NULL,
    linked_at   timestamptz NOT NULL
);
CREATE INDEX user_identity_user ON user_identity (user_id);

-- Passkeys that sign users in, by the id that their device gave them (base64url).
CREATE TABLE user_passkey (
    credential_id text        PRIMARY KEY,
    company_id    integer,
    user_id       integer     NOT NULL,
    added_at      timestamptz NOT NULL
);
CREATE INDEX user_passkey_user ON user_passkey (user_id);

-- Folds events of users. Takes a batch in log order.
CREATE FUNCTION fold_user_account(batch event[]) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    -- Logins and addresses are given up before any is taken: within a batch, users may have left, or swapped theirs.
    UPDATE user_account t
       SET document = t.document - CASE WHEN g.login THEN 'login_key' ELSE '' END - CASE WHEN g.email THEN 'email_key' ELSE '' END,
           removed_at = coalesce(g.removed_at, t.removed_at)
      FROM (
        SELECT (b.data->>'user_id')::integer AS id, bool_or(b.data ? 'login_key') AS login, bool_or(b.data ? 'email_key') AS email,
               max(b.time) FILTER (WHERE b.type = 'UserRemoved') AS removed_at
          FROM unnest(batch) b
         WHERE b.type IN ('UserRemoved', 'UserChanged')
         GROUP BY 1) g
     WHERE t.id = g.id;

    INSERT INTO user_account AS t (id, document, created_at, changed_at, changed_by, removed_at, stream_version)
    SELECT (b.data->>'user_id')::integer, jsonb_object_agg(f.key, f.value ORDER BY b.version), min(b.time), max(b.time),
           (array_agg(b.meta->>'actor' ORDER BY b.version DESC))[1], max(b.time) FILTER (WHERE b.type = 'UserRemoved'),
           max(b.version)
      FROM unnest(batch) b,
           jsonb_each(CASE b.type
               WHEN 'UserCreated' THEN b.data
               WHEN 'UserChanged' THEN b.data
               WHEN 'PasswordSet' THEN jsonb_build_object('has_password', b.data->'password' <> 'null')
                    || CASE WHEN b.data->>'cause' <> 'upgraded' THEN jsonb_build_object('password_set_at', b.data->'set_at') ELSE '{}' END
               WHEN 'TotpEnabled' THEN jsonb_build_object('totp_at', b.data->'enabled_at')
               WHEN 'TotpDisabled' THEN '{"totp_at": null}'
               ELSE jsonb_build_object('user_id', b.data->'user_id') END) f
     WHERE b.type IN ('UserCreated', 'UserChanged', 'UserRemoved', 'PasswordSet', 'TotpEnabled', 'TotpDisabled', 'RecoveryCodesMade',
                      'RecoveryCodeUsed', 'PasskeyAdded', 'PasskeyRemoved', 'RoleGranted', 'RoleRevoked', 'IdentityLinked',
                      'IdentityUnlinked')
     GROUP BY 1
    ON CONFLICT (id) DO UPDATE
       SET document = t.document || excluded.document, changed_at = excluded.changed_at, changed_by = excluded.changed_by,
           removed_at = coalesce(excluded.removed_at, t.removed_at), stream_version = excluded.stream_version;

    DELETE FROM user_role t USING unnest(batch) b
     WHERE t.user_id = (b.data->>'user_id')::integer
       AND (b.type = 'UserRemoved' OR b.type IN ('RoleGranted', 'RoleRevoked') AND t.role = b.data->>'role');
    INSERT INTO user_role (user_id, role, until, granted_at, granted_by)
    SELECT g.user_id, g.role, g.until, g.time, g.actor
      FROM (SELECT DISTINCT ON (1, 2) (b.data->>'user_id')::integer AS user_id, b.data->>'role' AS role, b.type,
                   (b.data->>'until')::timestamptz AS until, b.time, b.meta->>'actor' AS actor
              FROM unnest(batch) b WHERE b.type IN ('RoleGranted', 'RoleRevoked')
             ORDER BY 1, 2, b.version DESC) g
      JOIN user_account u ON u.id = g.user_id AND u.removed_at IS NULL
     WHERE g.type = 'RoleGranted';

    DELETE FROM user_identity t USING unnest(batch) b
     WHERE b.type = 'UserRemoved' AND t.user_id = (b.data->>'user_id')::integer
        OR b.type = 'IdentityUnlinked' AND t.subject_key = b.data->>'subject_key';
    INSERT INTO user_identity (subject_key, user_id, issuer, linked_at)
    SELECT g.subject_key, g.user_id, g.issuer, g.linked_at
      FROM (SELECT DISTINCT ON (1) b.data->>'subject_key' AS subject_key, (b.data->>'user_id')::integer AS user_id, b.type,
                   b.data->>'issuer' AS issuer, (b.data->>'linked_at')::timestamptz AS linked_at
              FROM unnest(batch) b WHERE b.type IN ('IdentityLinked', 'IdentityUnlinked')
             ORDER BY 1, b.epoch DESC, b.xid DESC, b.position DESC) g
      JOIN user_account u ON u.id = g.user_id AND u.removed_at IS NULL
     WHERE g.type = 'IdentityLinked';

    DELETE FROM user_passkey t USING unnest(batch) b
     WHERE b.type = 'UserRemoved' AND t.user_id = (b.data->>'user_id')::integer
        OR b.type = 'PasskeyRemoved' AND t.user_id = (b.data->>'user_id')::integer AND t.credential_id = b.data->>'credential_id';
    INSERT INTO user_passkey (credential_id, user_id, added_at)
    SELECT g.credential_id, g.user_id, g.added_at
      FROM (SELECT DISTINCT ON (1) b.data->>'credential_id' AS credential_id, (b.data->>'user_id')::integer AS user_id, b.type,
                   (b.data->>'added_at')::timestamptz AS added_at
              FROM unnest(batch) b WHERE b.type IN ('PasskeyAdded', 'PasskeyRemoved')
             ORDER BY 1, b.epoch DESC, b.xid DESC, b.position DESC) g
      JOIN user_account u ON u.id = g.user_id AND u.removed_at IS NULL
     WHERE g.type = 'PasskeyAdded';
END
$$;
