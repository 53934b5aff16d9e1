-- What gateways report (product.md section 4). One row for each installation that a key was seen with; HOT
-- updates need room on the page.
CREATE TABLE gateway_installs (
    server_id           uuid NOT NULL REFERENCES servers ON DELETE CASCADE,
    install_id          uuid NOT NULL,
    boot_id             uuid NOT NULL,
    sequence            bigint NOT NULL,
    -- Boots that were superseded, newest first, at most 8: a late heartbeat of theirs revives nothing.
    previous_boot_ids   uuid[] NOT NULL DEFAULT '{}',
    phase               text NOT NULL CHECK (phase IN ('starting', 'serving')),
    version             text NOT NULL,
    uptime_seconds      bigint NOT NULL,
    os                  text NOT NULL,
    architecture        text NOT NULL,
    hostname            text NOT NULL,
    applied_incarnation integer,
    applied_number      bigint,
    rejected_incarnation integer,
    rejected_number     bigint,
    rejected_reason     text,
    counters            jsonb NOT NULL,
    first_seen_at       timestamptz NOT NULL,
    last_heartbeat_at   timestamptz NOT NULL,
    PRIMARY KEY (server_id, install_id)
) WITH (fillfactor = 60);

-- A server's status for a person: equal to ServerStatus::derive in proxima-types.
CREATE FUNCTION server_status_at(
    license text, last_heartbeat_at timestamptz, phase text, heartbeat_interval interval, at timestamptz
) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE
        WHEN last_heartbeat_at IS NULL THEN 'NOT_INSTALLED'
        WHEN license = 'EXPIRED' THEN 'STOPPED_BY_LICENSE'
        WHEN phase = 'serving' AND at - last_heartbeat_at <= 3 * heartbeat_interval THEN 'ONLINE'
        ELSE 'OFFLINE' END $$;

-- A server with its owner's name and its newest heartbeat.
CREATE VIEW server_overview AS
SELECT s.id, s.owner_id, u.username AS owner_username, s.name, s.license_status, s.grace_expires_at,
       s.api_key_last4, s.key_shared_since, s.config, s.config_generation, s.config_updated_at, s.created_at,
       i.version AS installed_version, i.last_heartbeat_at, i.phase, i.os, i.architecture, i.hostname,
       i.applied_incarnation, i.applied_number, i.rejected_incarnation, i.rejected_number, i.rejected_reason
FROM servers s
JOIN users u ON u.id = s.owner_id
LEFT JOIN LATERAL (
    SELECT * FROM gateway_installs g WHERE g.server_id = s.id ORDER BY g.last_heartbeat_at DESC LIMIT 1
) i ON true;

-- On how many hosts a key is in use: installs heard within three intervals AND after the newest of them first
-- appeared, so that a plain re-install, whose predecessor fell silent, counts as one.
CREATE FUNCTION key_in_use_on_hosts(of_server uuid, heartbeat_interval interval, at timestamptz) RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ WITH live AS (
              SELECT first_seen_at, last_heartbeat_at FROM gateway_installs
              WHERE server_id = of_server AND at - last_heartbeat_at <= 3 * heartbeat_interval)
          SELECT count(*) FROM live WHERE last_heartbeat_at >= (SELECT max(first_seen_at) FROM live) $$;
