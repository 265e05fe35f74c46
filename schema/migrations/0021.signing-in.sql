-- depends: 0020.users
-- State of signing in, which is no event: sessions, attempts, what is used once. company_id is for row-level security alone:
-- none of it belongs to a company, so only who acts for the whole installation sees it.

-- Sessions of the web. The cookie holds a random id, of which only the digest is here; address and browser are ciphertext.
-- previous: the digest before the id was last changed, still good for requests that were under way then.
-- proved_at: when the user last proved here who they are, NULL: a provider did so, nobody knows how long ago.
-- password_at: when the password was set that it was opened under. With another one it is void, whatever any clock says.
CREATE TABLE user_session (
    id          bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    company_id  integer,
    digest      bytea       NOT NULL UNIQUE,
    previous    bytea,
    user_id     integer     NOT NULL,
    method      text        NOT NULL,
    created_at  timestamptz NOT NULL,
    seen_at     timestamptz NOT NULL,
    rotated_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    proved_at   timestamptz,
    password_at timestamptz,
    address     jsonb,
    agent       jsonb
);
CREATE INDEX user_session_user ON user_session (user_id);
CREATE INDEX user_session_previous ON user_session (previous) WHERE previous IS NOT NULL;
CREATE INDEX user_session_seen ON user_session (seen_at);

-- Failed attempts to sign in, by a keyed hash of the login or of the address.
CREATE TABLE sign_in_attempt (
    key          text        PRIMARY KEY,
    company_id   integer,
    failures     integer     NOT NULL,
    first_at     timestamptz NOT NULL,
    locked_until timestamptz
);

-- What is good for one use until it expires: second steps of signing in, links in mails, challenges. Only digests are here.
CREATE TABLE one_time_secret (
    digest     bytea       PRIMARY KEY,
    company_id integer,
    purpose    text        NOT NULL,
    user_id    integer,
    data       jsonb       NOT NULL DEFAULT '{}',
    expires_at timestamptz NOT NULL
);
CREATE INDEX one_time_secret_expires ON one_time_secret (expires_at);

-- The last time step of one-time codes that each user used: none is taken twice.
CREATE TABLE totp_use (
    user_id    integer PRIMARY KEY,
    company_id integer,
    step       bigint  NOT NULL
);

-- How often each passkey was used, as its device counts, and when last.
CREATE TABLE passkey_use (
    credential_id text        PRIMARY KEY,
    company_id    integer,
    user_id       integer     NOT NULL,
    sign_count    bigint      NOT NULL,
    used_at       timestamptz NOT NULL
);

-- When each API token was last used.
CREATE TABLE api_token_use (
    token_id   integer     PRIMARY KEY,
    company_id integer,
    used_at    timestamptz NOT NULL
);
