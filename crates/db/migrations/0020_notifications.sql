-- Webhooks and e-mail (docs/notifications.md). Nothing here is read or written on a heartbeat's way.

CREATE TABLE notification_settings (
    singleton              boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    license_ending_hours   integer NOT NULL DEFAULT 24 CHECK (license_ending_hours BETWEEN 1 AND 720),
    offline_settle_minutes integer NOT NULL DEFAULT 5 CHECK (offline_settle_minutes BETWEEN 1 AND 1440),
    silent_hours           integer NOT NULL DEFAULT 24 CHECK (silent_hours BETWEEN 1 AND 8760),
    smtp_host              text,
    smtp_port              integer CHECK (smtp_port BETWEEN 1 AND 65535),
    smtp_tls               text CHECK (smtp_tls IN ('STARTTLS', 'TLS', 'NONE')),
    smtp_from              text,
    smtp_username          text,
    -- Sealed together with the host, port and username that it was given for.
    smtp_password_ciphertext bytea,
    updated_at             timestamptz,
    CONSTRAINT notification_settings_smtp_whole CHECK (num_nulls(smtp_host, smtp_port, smtp_tls, smtp_from) IN (0, 4)),
    CONSTRAINT notification_settings_login_whole CHECK (smtp_password_ciphertext IS NULL OR smtp_username IS NOT NULL)
);
INSERT INTO notification_settings DEFAULT VALUES;

CREATE TABLE notification_endpoints (
    id                         uuid PRIMARY KEY,
    kind                       text NOT NULL CHECK (kind IN ('WEBHOOK', 'EMAIL')),
    description                text NOT NULL,
    url                        text,
    recipients                 text[] NOT NULL DEFAULT '{}',
    events                     text[] NOT NULL,
    enabled                    boolean NOT NULL,
    disabled_reason            text CHECK (disabled_reason IN ('BY_ADMIN', 'GONE', 'FAILURES')),
    disabled_at                timestamptz,
    -- Sealed (AAD: table, row, column).
    secret_ciphertext          bytea,
    -- Signs too until then, after a rotation.
    previous_secret_ciphertext bytea,
    previous_secret_until      timestamptz,
    -- Since when nothing has got through.
    failing_since              timestamptz,
    last_delivered_at          timestamptz,
    -- Nothing is sent before: a receiver asked for a pause, or the next e-mail may not go out yet.
    not_before                 timestamptz,
    created_at                 timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at                 timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT notification_endpoints_webhook_whole CHECK (
        (kind = 'WEBHOOK') = (url IS NOT NULL) AND (kind = 'WEBHOOK') = (secret_ciphertext IS NOT NULL)),
    CONSTRAINT notification_endpoints_previous_whole CHECK (
        (previous_secret_ciphertext IS NULL) = (previous_secret_until IS NULL)),
    CONSTRAINT notification_endpoints_disabled_whole CHECK (
        enabled = (disabled_at IS NULL) AND (disabled_reason IS NULL) = (disabled_at IS NULL))
);

-- What happened, with the exact text that is sent. Kept with its deliveries for the log.
CREATE TABLE notification_events (
    id         uuid PRIMARY KEY,
    type       text NOT NULL,
    -- The servers it speaks of; no foreign key: the log outlives them.
    servers    uuid[] NOT NULL,
    summary    text NOT NULL,
    body       text NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX notification_events_created_at ON notification_events (created_at);

-- The queue and the log of deliveries.
CREATE TABLE notification_deliveries (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    endpoint_id     uuid NOT NULL REFERENCES notification_endpoints ON DELETE CASCADE,
    event_id        uuid NOT NULL REFERENCES notification_events ON DELETE CASCADE,
    state           text NOT NULL DEFAULT 'WAITING' CHECK (state IN ('WAITING', 'DELIVERED', 'FAILED', 'CANCELLED')),
    -- Begun altogether, and since somebody last asked for it: the second chooses the next delay.
    attempts        integer NOT NULL DEFAULT 0,
    tries           integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    -- An attempt is under way until then; its dashboard has died when that has passed.
    lease_until     timestamptz,
    fence           bigint NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at     timestamptz,
    CONSTRAINT notification_deliveries_once UNIQUE (endpoint_id, event_id),
    CONSTRAINT notification_deliveries_waiting_whole CHECK (
        (state = 'WAITING') = (next_attempt_at IS NOT NULL) AND (state = 'WAITING') = (finished_at IS NULL))
);
CREATE INDEX notification_deliveries_waiting ON notification_deliveries (endpoint_id, next_attempt_at, id) WHERE state = 'WAITING';
CREATE INDEX notification_deliveries_log ON notification_deliveries (endpoint_id, created_at, id);
CREATE INDEX notification_deliveries_event ON notification_deliveries (event_id);

CREATE TABLE notification_attempts (
    delivery_id uuid NOT NULL REFERENCES notification_deliveries ON DELETE CASCADE,
    number      integer NOT NULL,
    at          timestamptz NOT NULL,
    duration_ms integer NOT NULL,
    status_code integer,
    outcome     text NOT NULL,
    message     text NOT NULL,
    -- The first of what the receiver said, cleaned.
    response    text,
    PRIMARY KEY (delivery_id, number)
);

-- A condition that was told and has not ended: whoever inserts the row tells it, whoever deletes it tells the end. The nil
-- id is the platform. No foreign key: the sweep removes rows of servers that are gone.
CREATE TABLE notification_episodes (
    kind      text NOT NULL,
    server_id uuid NOT NULL,
    since     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (kind, server_id)
);

-- Since when the dashboards have been listening without a gap: gateways that could not reach them are not offline.
CREATE TABLE notification_watch (
    singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    since      timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When the fleet was last looked through.
    scanned_at timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO notification_watch DEFAULT VALUES;

-- What had expired before anybody could be told is no news.
CREATE INDEX servers_expiry_observed ON servers (id) WHERE expiry_observed_at IS NOT NULL;
INSERT INTO notification_episodes (kind, server_id)
SELECT 'license.expired', id FROM servers WHERE expiry_observed_at IS NOT NULL;
