-- name: try
-- Counts an attempt before it is judged, so that many at once are no way around the limit; whether it may be made.
-- $1: keys, $2: moment, $3: most failures, $4: seconds in which they count, $5: seconds for which it is locked then.
INSERT INTO sign_in_attempt AS a (key, failures, first_at, locked_until)
SELECT k.key, 1, $2::timestamptz, CASE WHEN $3::integer <= 1 THEN $2::timestamptz + make_interval(secs => $5::float) END
  FROM unnest($1::text[]) AS k (key) ORDER BY k.key
ON CONFLICT (key) DO UPDATE
   SET failures = CASE
           WHEN coalesce(a.locked_until, a.first_at + make_interval(secs => $4::float)) <= $2 THEN 1
           ELSE a.failures + 1 END,
       first_at = CASE
           WHEN coalesce(a.locked_until, a.first_at + make_interval(secs => $4::float)) <= $2 THEN $2
           ELSE a.first_at END,
       locked_until = CASE
           WHEN coalesce(a.locked_until, a.first_at + make_interval(secs => $4::float)) <= $2
           THEN CASE WHEN $3 <= 1 THEN $2 + make_interval(secs => $5::float) END
           WHEN a.failures + 1 = $3 THEN $2 + make_interval(secs => $5::float)
           ELSE a.locked_until END
RETURNING a.key, a.failures <= $3 AS allowed, a.locked_until

-- name: forget
-- Takes back an attempt that succeeded: the account begins anew, the address is as it was before.
-- $1: key of the account, $2: key of the address.
WITH account AS (DELETE FROM sign_in_attempt a WHERE a.key = $1::text)
UPDATE sign_in_attempt a SET failures = greatest(a.failures - 1, 0), locked_until = NULL WHERE a.key = $2::text

-- name: open
-- Opens a session. $1: digest, $2: user, $3: method, $4: moment, $5: seconds that it lasts at most, $6: when the password was
-- set by which it is opened, NULL: by none, $7: whether the user has proved just now who they are.
INSERT INTO user_session (digest, user_id, method, created_at, seen_at, rotated_at, expires_at, proved_at, password_at)
VALUES ($1::bytea, $2::integer, $3::text, $4::timestamptz, $4, $4, $4 + make_interval(secs => $5::float), CASE WHEN $7::boolean THEN $4 END,
        coalesce($6::timestamptz, (SELECT (u.document->>'password_set_at')::timestamptz FROM user_account u WHERE u.id = $2)))
RETURNING id

-- name: describe
-- Says of a session where it came from. $1: session, $2: address, $3: browser, both ciphertext.
UPDATE user_session s SET address = $2::jsonb, agent = $3::jsonb WHERE s.id = $1::bigint

-- name: find
-- The session of a cookie and its user, if it is good; that it was seen is put down at most once in ten seconds.
-- $1: digest, $2: moment, $3: seconds after which one that nobody uses ends.
WITH found AS (
    SELECT s.id, s.user_id, s.method, s.created_at, s.seen_at, s.rotated_at, s.expires_at, s.proved_at, s.digest = $1::bytea AS current,
           u.document->'login' AS login, u.document->>'language' AS language
      FROM user_session s JOIN user_account u ON u.id = s.user_id
     WHERE (s.digest = $1::bytea OR s.previous = $1::bytea AND s.rotated_at > $2::timestamptz - interval '30 seconds')
       AND s.expires_at > $2::timestamptz AND s.seen_at > $2::timestamptz - make_interval(secs => $3::float)
       AND u.enabled AND u.removed_at IS NULL
       AND s.password_at IS NOT DISTINCT FROM (u.document->>'password_set_at')::timestamptz
), seen AS (
    UPDATE user_session s SET seen_at = $2::timestamptz FROM found f
     WHERE s.id = f.id AND f.seen_at < $2::timestamptz - interval '10 seconds'
)
SELECT f.* FROM found f

-- name: rotate
-- Gives a session another id; of two requests at once, one does. $1: session, $2: digest, $3: the one before, $4: moment.
UPDATE user_session s SET digest = $2::bytea, previous = $3::bytea, rotated_at = $4::timestamptz
 WHERE s.id = $1::bigint AND s.digest = $3::bytea RETURNING s.id

-- name: proved
-- Notes that the user of a session has proved just now who they are. $1: session, $2: moment.
UPDATE user_session s SET proved_at = $2::timestamptz, password_at = (u.document->>'password_set_at')::timestamptz
  FROM user_account u
 WHERE s.id = $1::bigint AND u.id = s.user_id

-- name: sessions
-- The sessions of a user that are good, newest first. $1: user, $2: moment, $3: seconds after which an idle one ends.
SELECT s.id, s.method, s.created_at, s.seen_at, s.expires_at, s.address, s.agent
  FROM user_session s JOIN user_account u ON u.id = s.user_id
 WHERE s.user_id = $1::integer AND s.expires_at > $2::timestamptz AND s.seen_at > $2::timestamptz - make_interval(secs => $3::float)
   AND s.password_at IS NOT DISTINCT FROM (u.document->>'password_set_at')::timestamptz
 ORDER BY s.seen_at DESC

-- name: close
-- Ends sessions of a user. $1: user, $2: only this one, or NULL, $3: but not this one, or NULL.
DELETE FROM user_session s
 WHERE s.user_id = $1::integer AND ($2::bigint IS NULL OR s.id = $2) AND ($3::bigint IS NULL OR s.id <> $3) RETURNING s.id

-- name: keep
-- Keeps what is good for one use. $1: digest, $2: purpose, $3: user or NULL, $4: data, $5: when it expires.
INSERT INTO one_time_secret (digest, purpose, user_id, data, expires_at)
VALUES ($1::bytea, $2::text, $3::integer, $4::jsonb, $5::timestamptz)

-- name: look
-- What was kept, and stays so. $1: digest, $2: purpose, $3: moment.
SELECT o.user_id, o.data FROM one_time_secret o
 WHERE o.digest = $1::bytea AND o.purpose = $2::text AND o.expires_at > $3::timestamptz

-- name: take
-- What was kept, once. $1: digest, $2: purpose, $3: moment.
DELETE FROM one_time_secret o
 WHERE o.digest = $1::bytea AND o.purpose = $2::text AND o.expires_at > $3::timestamptz RETURNING o.user_id, o.data

-- name: drop
-- Removes what was kept for a user for a purpose. $1: user, $2: purpose.
DELETE FROM one_time_secret o WHERE o.user_id = $1::integer AND o.purpose = $2::text

-- name: last_step
-- The last time step of a one-time code that a user used. $1: user.
SELECT t.step FROM totp_use t WHERE t.user_id = $1::integer

-- name: use_step
-- Uses up a time step: of two at once with the same code, one does. $1: user, $2: step.
INSERT INTO totp_use AS t (user_id, step) VALUES ($1::integer, $2::bigint)
ON CONFLICT (user_id) DO UPDATE SET step = excluded.step WHERE t.step < excluded.step RETURNING t.step

-- name: passkey_count
-- How often a passkey has signed, as its device counts. $1: passkey.
SELECT p.sign_count FROM passkey_use p WHERE p.credential_id = $1::text

-- name: use_passkey
-- Notes that a passkey has signed. $1: passkey, $2: user, $3: its count, $4: moment.
INSERT INTO passkey_use AS p (credential_id, user_id, sign_count, used_at) VALUES ($1::text, $2::integer, $3::bigint, $4::timestamptz)
ON CONFLICT (credential_id) DO UPDATE SET user_id = excluded.user_id, sign_count = excluded.sign_count, used_at = excluded.used_at
 WHERE p.user_id <> excluded.user_id OR p.sign_count < excluded.sign_count OR excluded.sign_count = 0
RETURNING p.sign_count
