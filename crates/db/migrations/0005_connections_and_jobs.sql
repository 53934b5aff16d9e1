-- How the dashboard reaches a customer's box, and what it does there (product.md section 5).

CREATE TABLE connections (
    server_id             uuid PRIMARY KEY REFERENCES servers ON DELETE CASCADE,
    host                  text NOT NULL,
    port                  integer NOT NULL CHECK (port BETWEEN 1 AND 65535),
    username              text NOT NULL,
    -- What is stored to log in with; sealed (AAD: table, row, column), never shown. ACCESS_KEY is the key that we
    -- traded a password for.
    credential_kind       text CHECK (credential_kind IN ('PASSWORD', 'PRIVATE_KEY', 'ACCESS_KEY')),
    credential_ciphertext bytea,
    credential_stored_at  timestamptz,
    sudo_ciphertext       bytea,
    -- The host key that a person confirmed. Nothing secret is ever sent to a host that shows another.
    pinned_algorithm      text,
    pinned_fingerprint    text,
    pinned_line           text,
    pinned_at             timestamptz,
    pinned_by             text,
    -- The key that the host showed last, whoever asked: what a person is asked to confirm.
    offered_algorithm     text,
    offered_fingerprint   text,
    offered_line          text,
    offered_at            timestamptz,
    -- Since when the host has shown another key than the pinned one; only a confirmation clears it.
    changed_at            timestamptz,
    updated_at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT connections_credential_whole CHECK (
        (credential_kind IS NULL) = (credential_ciphertext IS NULL)
        AND (credential_kind IS NULL) = (credential_stored_at IS NULL)),
    CONSTRAINT connections_pin_whole CHECK (num_nulls(pinned_algorithm, pinned_fingerprint, pinned_line, pinned_at, pinned_by) IN (0, 5)),
    CONSTRAINT connections_offer_whole CHECK (num_nulls(offered_algorithm, offered_fingerprint, offered_line, offered_at) IN (0, 4)),
    CONSTRAINT connections_changed_from_a_pin CHECK (changed_at IS NULL OR pinned_at IS NOT NULL)
);

CREATE TABLE jobs (
    id                  uuid PRIMARY KEY,
    server_id           uuid NOT NULL REFERENCES servers ON DELETE CASCADE,
    kind                text NOT NULL CHECK (kind IN ('INSTALL', 'UPDATE', 'RESTART', 'UNINSTALL')),
    state               text NOT NULL DEFAULT 'QUEUED'
                        CHECK (state IN ('QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
    -- The name of who asked; a copy, as in the audit log.
    requested_by        text NOT NULL,
    requested_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at          timestamptz,
    finished_at         timestamptz,
    cancel_requested_at timestamptz,
    -- Whether an install takes over a box that another server has.
    replace_other_server boolean NOT NULL DEFAULT false,
    -- Of an INSTALL: the installation that it makes.
    install_id          uuid,
    -- Its new secret, sealed; it becomes the server's when the job succeeds, and is forgotten when it does not.
    api_secret_ciphertext bytea,
    plan                jsonb,
    -- The step that failed and why, from when it begins to undo what it did.
    undoing             jsonb,
    receipt             jsonb,
    -- What a job that succeeded found and left.
    result              jsonb,
    -- Why it did not succeed: step, code, sentence, remedy, what remains.
    problem             jsonb,
    -- Grows with every dashboard that takes the job; a write that names an older one changes nothing.
    fence               bigint NOT NULL DEFAULT 0,
    lease_until         timestamptz,
    log_bytes           integer NOT NULL DEFAULT 0,
    CONSTRAINT jobs_finished_has_a_date CHECK ((state IN ('SUCCEEDED', 'FAILED', 'CANCELLED')) = (finished_at IS NOT NULL)),
    CONSTRAINT jobs_running_has_a_lease CHECK ((state = 'RUNNING') = (lease_until IS NOT NULL))
);
-- Two jobs of one server never overlap.
CREATE UNIQUE INDEX jobs_one_unfinished ON jobs (server_id) WHERE state IN ('QUEUED', 'RUNNING');
-- What a dashboard looks for work in: small, and oldest first.
CREATE INDEX jobs_unfinished ON jobs (requested_at, id) WHERE state IN ('QUEUED', 'RUNNING');
CREATE INDEX jobs_of_server ON jobs (server_id, requested_at DESC, id DESC);

CREATE TABLE job_steps (
    job_id      uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    position    integer NOT NULL,
    name        text NOT NULL,
    title       text NOT NULL,
    state       text NOT NULL DEFAULT 'PENDING'
                CHECK (state IN ('PENDING', 'RUNNING', 'DONE', 'UNCHANGED', 'FAILED', 'SKIPPED', 'UNDONE', 'REMAINS')),
    problem     jsonb,
    warnings    jsonb NOT NULL DEFAULT '[]',
    -- Bytes sent, and in all.
    sent        bigint,
    total       bigint,
    started_at  timestamptz,
    finished_at timestamptz,
    PRIMARY KEY (job_id, position)
);

CREATE TABLE job_log (
    id       bigint GENERATED ALWAYS AS IDENTITY,
    job_id   uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    -- The step that says it.
    position integer NOT NULL,
    time     timestamptz NOT NULL DEFAULT clock_timestamp(),
    line     text NOT NULL,
    PRIMARY KEY (job_id, id)
);

-- A server is Installing while a job says so.
DROP FUNCTION server_status_at(text, timestamptz, text, interval, timestamptz);
-- A server's status for a person: equal to ServerStatus::derive in proxima-types.
CREATE FUNCTION server_status_at(
    license text, last_heartbeat_at timestamptz, phase text, installing boolean, heartbeat_interval interval, at timestamptz
) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE
        WHEN installing THEN 'INSTALLING'
        WHEN last_heartbeat_at IS NULL THEN 'NOT_INSTALLED'
        WHEN license = 'EXPIRED' THEN 'STOPPED_BY_LICENSE'
        WHEN phase = 'serving' AND at - last_heartbeat_at <= 3 * heartbeat_interval THEN 'ONLINE'
        ELSE 'OFFLINE' END $$;

CREATE OR REPLACE VIEW server_overview AS
SELECT s.id, s.owner_id, u.username AS owner_username, s.name, s.license_status, s.grace_expires_at,
       s.api_key_last4, s.key_shared_since, s.config, s.config_generation, s.config_updated_at, s.created_at,
       i.version AS installed_version, i.last_heartbeat_at, i.phase, i.os, i.architecture, i.hostname,
       i.applied_incarnation, i.applied_number, i.rejected_incarnation, i.rejected_number, i.rejected_reason,
       EXISTS (SELECT FROM jobs j
               WHERE j.server_id = s.id AND j.kind = 'INSTALL' AND j.state IN ('QUEUED', 'RUNNING')) AS installing
FROM servers s
JOIN users u ON u.id = s.owner_id
LEFT JOIN LATERAL (
    SELECT * FROM gateway_installs g WHERE g.server_id = s.id ORDER BY g.last_heartbeat_at DESC LIMIT 1
) i ON true;

-- Addresses that the dashboard may connect to although they are private or its own (design.md, invariant 10).
ALTER TABLE settings ADD COLUMN outbound_allowlist text[] NOT NULL DEFAULT '{}';

-- Of the certificate of the gateway's management API (:6060), as read over SSH: sha256:…
ALTER TABLE servers ADD COLUMN management_fingerprint text;
