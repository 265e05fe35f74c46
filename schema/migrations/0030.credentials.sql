-- depends: 0011.payload-storage
-- Credentials, and keys that are replaced by newer ones of the same owner: what the older ones encrypted stays readable.

CREATE SEQUENCE credential_prototype_id AS integer;
CREATE SEQUENCE credential_type_id AS integer;
CREATE SEQUENCE credential_id AS integer;

-- retired_at: since when a newer key of the same owner is used to encrypt.
ALTER TABLE data_keys DROP CONSTRAINT data_keys_owner_key;
ALTER TABLE data_keys ADD COLUMN retired_at timestamptz;
CREATE UNIQUE INDEX data_keys_owner_key ON data_keys (owner) WHERE retired_at IS NULL;
CREATE INDEX data_keys_retired ON data_keys (owner) WHERE retired_at IS NOT NULL;
