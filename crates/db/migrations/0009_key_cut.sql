-- Since when the server's key is another without its gateway having been handed it: after Regenerate, after a hand's change,
-- and after a rotation that its limit ended. A gateway that has not reported since needs a re-install.
ALTER TABLE servers ADD COLUMN key_cut_at timestamptz;

CREATE FUNCTION servers_note_key_cut() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.api_key_digest IS DISTINCT FROM OLD.next_key_digest THEN
        NEW.key_cut_at := clock_timestamp();
    ELSIF NEW.last_rotation_adopted_at IS NULL THEN
        NEW.key_cut_at := OLD.rotation_limit_at;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER servers_note_key_cut BEFORE UPDATE OF api_key_digest ON servers
    FOR EACH ROW WHEN (OLD.api_key_digest <> NEW.api_key_digest) EXECUTE FUNCTION servers_note_key_cut();

CREATE OR REPLACE VIEW server_overview AS
SELECT s.id, s.owner_id, u.username AS owner_username, s.name, s.license_status, s.grace_expires_at,
       s.api_key_last4, s.key_shared_since, s.config, s.config_generation, s.config_updated_at, s.created_at,
       i.version AS installed_version, i.last_heartbeat_at, i.phase, i.os, i.architecture, i.hostname,
       i.applied_incarnation, i.applied_number, i.rejected_incarnation, i.rejected_number, i.rejected_reason,
       EXISTS (SELECT FROM jobs j
               WHERE j.server_id = s.id AND j.kind = 'INSTALL' AND j.state IN ('QUEUED', 'RUNNING')) AS installing,
       COALESCE(s.key_cut_at >= i.last_heartbeat_at, false) AS reinstall_needed
FROM servers s
JOIN users u ON u.id = s.owner_id
LEFT JOIN LATERAL (
    SELECT * FROM gateway_installs g WHERE g.server_id = s.id ORDER BY g.last_heartbeat_at DESC LIMIT 1
) i ON true;
