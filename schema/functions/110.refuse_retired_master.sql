-- Keeps a process that missed a rotation of the master key from wrapping a key by the old one, which nobody may have kept.
-- Runs as its owner: to lock a master key against being retired takes the right to change it.
-- Raises: object_not_in_prerequisite_state.
CREATE OR REPLACE FUNCTION refuse_retired_master() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = multiflexi, pg_temp AS $$
BEGIN
    -- The lock makes a rotation that is about to retire the master key wait for this transaction.
    PERFORM FROM master_keys m WHERE m.id = NEW.master_id AND m.retired_at IS NULL FOR SHARE;
    IF NOT FOUND THEN
        RAISE object_not_in_prerequisite_state USING MESSAGE = format(
            'master key %s was retired by a rotation: restart this process with the new ENCRYPTION_MASTER_KEY', NEW.master_id);
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER refuse_retired_master BEFORE INSERT OR UPDATE OF master_id ON data_keys
    FOR EACH ROW EXECUTE FUNCTION refuse_retired_master();
CREATE OR REPLACE TRIGGER refuse_retired_master BEFORE INSERT OR UPDATE OF master_id ON signing_keys
    FOR EACH ROW EXECUTE FUNCTION refuse_retired_master();
