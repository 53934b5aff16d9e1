-- A gateway whose key was retired without it having been handed another one stops itself: a status of its own.
-- The function without key_retired stays for dashboards of the version before, while they are replaced one by one.
CREATE FUNCTION server_status_at(
    license text, last_heartbeat_at timestamptz, phase text, installing boolean, key_retired boolean,
    heartbeat_interval interval, at timestamptz
) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE
        WHEN installing THEN 'INSTALLING'
        WHEN last_heartbeat_at IS NULL THEN 'NOT_INSTALLED'
        WHEN license = 'EXPIRED' THEN 'STOPPED_BY_LICENSE'
        WHEN key_retired THEN 'KEY_RETIRED'
        WHEN phase = 'serving' AND at - last_heartbeat_at <= 3 * heartbeat_interval THEN 'ONLINE'
        ELSE 'OFFLINE' END $$;

CREATE OR REPLACE VIEW server_states AS
SELECT s.id, s.owner_id, s.license_status, s.grace_expires_at, i.last_heartbeat_at, i.phase,
       EXISTS (SELECT FROM jobs j
               WHERE j.server_id = s.id AND j.kind = 'INSTALL' AND j.state IN ('QUEUED', 'RUNNING')) AS installing,
       COALESCE(s.key_cut_at >= i.last_heartbeat_at, false) AS reinstall_needed
FROM servers s
LEFT JOIN LATERAL (
    SELECT g.last_heartbeat_at, g.phase FROM gateway_installs g
    WHERE g.server_id = s.id ORDER BY g.last_heartbeat_at DESC LIMIT 1
) i ON true;

-- Few keys are ever cut: the list of those that wait for a re-install looks here.
CREATE INDEX servers_key_cut ON servers (id) WHERE key_cut_at IS NOT NULL;
