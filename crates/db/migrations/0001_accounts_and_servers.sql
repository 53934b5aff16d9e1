-- Accounts, servers and licenses (product.md sections 2 and 3).

CREATE TABLE users (
    id            uuid PRIMARY KEY,
    username      text NOT NULL CONSTRAINT users_username_key UNIQUE,
    password_hash text NOT NULL,
    display_name  text,
    login_slug    text CONSTRAINT users_login_slug_key UNIQUE,
    role          text NOT NULL CHECK (role IN ('ADMIN', 'CUSTOMER')),
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT users_username_lower CHECK (username = lower(username))
);
CREATE INDEX users_created_at ON users (created_at, id);

CREATE TABLE servers (
    id                    uuid PRIMARY KEY,
    -- UNIQUE: a customer owns exactly one server.
    owner_id              uuid NOT NULL CONSTRAINT servers_owner_key UNIQUE REFERENCES users ON DELETE CASCADE,
    name                  text NOT NULL,
    -- The license key: found by digest, kept encrypted (AAD: table, row, column), shown by its last four.
    api_key_digest        bytea NOT NULL CONSTRAINT servers_api_key_digest_key UNIQUE CHECK (octet_length(api_key_digest) = 32),
    api_key_ciphertext    bytea NOT NULL,
    api_key_last4         text NOT NULL,
    api_secret_ciphertext bytea NOT NULL,
    license_status        text NOT NULL DEFAULT 'ACTIVE' CHECK (license_status IN ('ACTIVE', 'GRACE', 'EXPIRED')),
    grace_expires_at      timestamptz,
    -- When the passing into EXPIRED was first observed, and so audited.
    expiry_observed_at    timestamptz,
    -- Since when this key is seen in use on more than one host.
    key_shared_since      timestamptz,
    config                jsonb NOT NULL DEFAULT '{"listeners": []}',
    config_generation     bigint NOT NULL DEFAULT 0,
    config_updated_at     timestamptz,
    created_at            timestamptz NOT NULL DEFAULT now(),
    updated_at            timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT servers_grace_has_a_date CHECK (license_status <> 'GRACE' OR grace_expires_at IS NOT NULL)
);

-- The one derivation of a license's status in SQL; equal to License::status_at in proxima-types.
CREATE FUNCTION license_status_at(stored text, grace_expires_at timestamptz, at timestamptz) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN stored = 'GRACE' AND (grace_expires_at IS NULL OR grace_expires_at <= at)
                      THEN 'EXPIRED' ELSE stored END $$;

-- The licenses that can pass into EXPIRED unobserved: few, so the sweep is cheap.
CREATE INDEX servers_expiry_unobserved ON servers (grace_expires_at)
    WHERE license_status <> 'ACTIVE' AND expiry_observed_at IS NULL;

-- Whoever makes a license valid again (a hand-edited date too) makes its next expiry an event of its own.
CREATE FUNCTION servers_forget_observed_expiry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF license_status_at(NEW.license_status, NEW.grace_expires_at, clock_timestamp()) <> 'EXPIRED' THEN
        NEW.expiry_observed_at := NULL;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER servers_forget_observed_expiry BEFORE UPDATE OF license_status, grace_expires_at ON servers
    FOR EACH ROW EXECUTE FUNCTION servers_forget_observed_expiry();

-- Tombstones: the keys that this dashboard remembers having retired (product.md section 4). Written by
-- triggers, so that a hand-made UPDATE or DELETE counts too. No foreign key: they outlive the server.
CREATE TABLE retired_keys (
    digest      bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
    server_id   uuid NOT NULL,
    server_name text NOT NULL,
    reason      text NOT NULL CHECK (reason IN ('REGENERATED', 'DELETED')),
    retired_at  timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION servers_retire_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO retired_keys (digest, server_id, server_name, reason)
    VALUES (OLD.api_key_digest, OLD.id, OLD.name, CASE TG_OP WHEN 'DELETE' THEN 'DELETED' ELSE 'REGENERATED' END)
    ON CONFLICT (digest) DO UPDATE SET reason = EXCLUDED.reason, retired_at = EXCLUDED.retired_at;
    RETURN NULL;
END $$;
CREATE TRIGGER servers_retire_regenerated AFTER UPDATE OF api_key_digest ON servers
    FOR EACH ROW WHEN (OLD.api_key_digest <> NEW.api_key_digest) EXECUTE FUNCTION servers_retire_key();
CREATE TRIGGER servers_retire_deleted AFTER DELETE ON servers
    FOR EACH ROW EXECUTE FUNCTION servers_retire_key();

CREATE TABLE sessions (
    id           uuid PRIMARY KEY,
    -- SHA-256 of the token: the token itself is only in the browser's cookie.
    token_digest bytea NOT NULL UNIQUE CHECK (octet_length(token_digest) = 32),
    user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    ip           inet,
    user_agent   text
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);

-- What the operator sets for the whole platform: one row.
CREATE TABLE settings (
    singleton              boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    -- Of this database: grows when a restored backup is accepted, and supersedes every older config generation.
    incarnation            integer NOT NULL DEFAULT 1,
    dashboard_ip_allowlist text[] NOT NULL DEFAULT '{}',
    offline_limit_days     integer CHECK (offline_limit_days BETWEEN 1 AND 3650),
    updated_at             timestamptz
);
INSERT INTO settings DEFAULT VALUES;
