-- Rotate without downtime (docs/heartbeat.md, "Rotation"): a server's next license key beside its present one.

ALTER TABLE servers
    ADD COLUMN next_key_digest     bytea CHECK (octet_length(next_key_digest) = 32),
    -- Sealed for the column api_key, into which it moves when the rotation ends.
    ADD COLUMN next_key_ciphertext bytea,
    ADD COLUMN next_key_last4      text,
    ADD COLUMN rotation_started_at timestamptz,
    -- The name of who began it; a copy, as in the audit log.
    ADD COLUMN rotation_started_by text,
    -- From then on only the next key counts, seen or not.
    ADD COLUMN rotation_limit_at   timestamptz,
    -- The last rotation that ended with its key in force: when it began and ended, and when a heartbeat with that key
    -- was first accepted. That is the end itself, or, when the limit ended it, a later moment or none yet.
    ADD COLUMN last_rotation_started_at timestamptz,
    ADD COLUMN last_rotation_ended_at   timestamptz,
    ADD COLUMN last_rotation_adopted_at timestamptz,
    ADD CONSTRAINT servers_rotation_whole CHECK (num_nulls(next_key_digest, next_key_ciphertext, next_key_last4,
        rotation_started_at, rotation_started_by, rotation_limit_at) IN (0, 6)),
    ADD CONSTRAINT servers_next_key_is_another CHECK (next_key_digest <> api_key_digest),
    -- As servers_grace_date_is_a_date.
    ADD CONSTRAINT servers_rotation_limit_is_a_date
        CHECK (rotation_limit_at >= '0001-01-01 00:00:00+00' AND rotation_limit_at < '10000-01-01 00:00:00+00'),
    ADD CONSTRAINT servers_last_rotation_whole CHECK (
        (last_rotation_started_at IS NULL) = (last_rotation_ended_at IS NULL)
        AND (last_rotation_adopted_at IS NULL OR last_rotation_ended_at IS NOT NULL));

-- Few rows have one: heartbeats with a next key, and the sweep, look here.
CREATE UNIQUE INDEX servers_next_key_digest_key ON servers (next_key_digest) WHERE next_key_digest IS NOT NULL;
CREATE INDEX servers_rotation_limit ON servers (rotation_limit_at) WHERE rotation_limit_at IS NOT NULL;

-- No key is one server's present and another's next. Each column is unique by its index; this is against a key that a
-- hand copied from one to the other.
CREATE FUNCTION servers_keys_are_unique() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM servers WHERE next_key_digest = NEW.api_key_digest AND id <> NEW.id)
       OR EXISTS (SELECT FROM servers WHERE api_key_digest = NEW.next_key_digest AND id <> NEW.id) THEN
        RAISE unique_violation USING CONSTRAINT = 'servers_keys_are_unique', TABLE = 'servers',
            MESSAGE = 'a license key of this server is another server''s already';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER servers_keys_are_unique BEFORE INSERT OR UPDATE OF api_key_digest, next_key_digest ON servers
    FOR EACH ROW EXECUTE FUNCTION servers_keys_are_unique();

-- Tombstones for both keys: whatever takes a digest off a row, by whatever hand, retires it. The next key that becomes
-- the present one stays on the row.
ALTER TABLE retired_keys DROP CONSTRAINT retired_keys_reason_check;
ALTER TABLE retired_keys ADD CONSTRAINT retired_keys_reason_check
    CHECK (reason IN ('REGENERATED', 'ROTATED', 'CANCELLED', 'DELETED'));

CREATE OR REPLACE FUNCTION servers_retire_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO retired_keys (digest, server_id, server_name, reason)
    SELECT gone.digest, OLD.id, OLD.name, CASE TG_OP WHEN 'DELETE' THEN 'DELETED' ELSE gone.reason END
    FROM (VALUES
        (OLD.api_key_digest, CASE WHEN NEW.api_key_digest = OLD.next_key_digest THEN 'ROTATED' ELSE 'REGENERATED' END),
        (OLD.next_key_digest, CASE WHEN NEW.api_key_digest = OLD.api_key_digest THEN 'CANCELLED' ELSE 'REGENERATED' END)
    ) AS gone(digest, reason)
    WHERE gone.digest IS NOT NULL AND gone.digest IS DISTINCT FROM NEW.api_key_digest
      AND gone.digest IS DISTINCT FROM NEW.next_key_digest
    ON CONFLICT (digest) DO UPDATE SET reason = EXCLUDED.reason, retired_at = EXCLUDED.retired_at;
    RETURN NULL;
END $$;
DROP TRIGGER servers_retire_regenerated ON servers;
CREATE TRIGGER servers_retire_replaced AFTER UPDATE OF api_key_digest, next_key_digest ON servers
    FOR EACH ROW WHEN (OLD.api_key_digest <> NEW.api_key_digest OR OLD.next_key_digest IS DISTINCT FROM NEW.next_key_digest)
    EXECUTE FUNCTION servers_retire_key();
