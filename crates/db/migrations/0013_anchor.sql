-- What a dashboard's anchor needs to tell this database from an older, another or an emptied one (docs/operate.md).

ALTER TABLE settings
    -- Of this installation: a copy keeps it, another database has another.
    ADD COLUMN installation_id uuid NOT NULL DEFAULT gen_random_uuid(),
    -- Audit rows older than this many days are removed; NULL keeps them for ever.
    ADD COLUMN audit_retention_days integer CHECK (audit_retention_days BETWEEN 90 AND 3650);

-- Retirements are numbered in the order in which they were committed, without gaps: an anchor that knows the first n lacks
-- exactly those above n. The numbers are given at commit, when the audit log's head is locked in any case.
ALTER TABLE audit_head ADD COLUMN retirements bigint NOT NULL DEFAULT 0;
ALTER TABLE retired_keys ADD COLUMN number bigint;
UPDATE retired_keys r SET number = n.number
FROM (SELECT digest, row_number() OVER (ORDER BY retired_at, digest) AS number FROM retired_keys) n WHERE n.digest = r.digest;
UPDATE audit_head SET retirements = (SELECT count(*) FROM retired_keys);
CREATE UNIQUE INDEX retired_keys_number ON retired_keys (number);
CREATE INDEX retired_keys_unnumbered ON retired_keys (digest) WHERE number IS NULL;

-- All that the transaction has retired at once: the first row's trigger numbers them, the others find them numbered.
CREATE FUNCTION retired_keys_number() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM retired_keys WHERE digest = NEW.digest AND number IS NULL) THEN
        RETURN NULL;
    END IF;
    SELECT retirements INTO STRICT last FROM audit_head FOR UPDATE;
    WITH numbered AS (
        UPDATE retired_keys r SET number = last + n.place
        FROM (SELECT digest, row_number() OVER (ORDER BY digest) AS place FROM retired_keys WHERE number IS NULL) n
        WHERE n.digest = r.digest
        RETURNING r.number)
    UPDATE audit_head SET retirements = (SELECT max(number) FROM numbered);
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER retired_keys_number AFTER INSERT OR UPDATE OF retired_at ON retired_keys
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION retired_keys_number();

-- As before, and a key that is retired again is a retirement of its own.
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
    ON CONFLICT (digest) DO UPDATE SET reason = EXCLUDED.reason, retired_at = EXCLUDED.retired_at, number = NULL;
    RETURN NULL;
END $$;

-- Each time that a person accepted a database behind its anchor: signed, so that no other database can claim it.
CREATE TABLE restores_accepted (
    incarnation integer PRIMARY KEY,
    accepted_at timestamptz NOT NULL DEFAULT now(),
    -- A signed document, as JSON text.
    document    text NOT NULL
);

-- What retention has removed: everything up to this row, whose hash the next one follows. Signed.
CREATE TABLE audit_checkpoint (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    id        bigint NOT NULL,
    hash      bytea NOT NULL,
    pruned_at timestamptz NOT NULL DEFAULT now(),
    document  text NOT NULL
);

-- Rows are written once, and leave only as the beginning of the log, up to a checkpoint.
DROP TRIGGER audit_log_is_append_only ON audit_log;
CREATE OR REPLACE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('proxima.audit_prune', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'the audit log is append-only';
END $$;
CREATE TRIGGER audit_log_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only();
CREATE FUNCTION audit_log_loses_its_beginning_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM gone WHERE id > (SELECT COALESCE(max(id), 0) FROM audit_checkpoint)) THEN
        RAISE EXCEPTION 'the audit log is append-only: only rows up to its checkpoint can be removed';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER audit_log_loses_its_beginning_only AFTER DELETE ON audit_log REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_loses_its_beginning_only();
