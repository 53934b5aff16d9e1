-- People's access: second factors, step-up and throttles (docs/security.md, "People's access").

ALTER TABLE sessions
    -- When the person last showed that it is them; signing in counts.
    ADD COLUMN stepped_up_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN signed_in_with text NOT NULL DEFAULT 'PASSWORD'
        CHECK (signed_in_with IN ('PASSWORD', 'TOTP', 'PASSKEY', 'RECOVERY_CODE')),
    -- The token before the last change of token: good for a few seconds, for requests that were on their way.
    ADD COLUMN previous_digest bytea CHECK (octet_length(previous_digest) = 32),
    ADD COLUMN previous_until timestamptz;
UPDATE sessions SET stepped_up_at = created_at;
CREATE UNIQUE INDEX sessions_previous_digest ON sessions (previous_digest) WHERE previous_digest IS NOT NULL;

-- A sign-in whose password was right and whose second factor is still to come.
CREATE TABLE pending_logins (
    token_digest bytea PRIMARY KEY CHECK (octet_length(token_digest) = 32),
    user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    expires_at   timestamptz NOT NULL,
    failures     integer NOT NULL DEFAULT 0
);
CREATE INDEX pending_logins_user ON pending_logins (user_id);
CREATE INDEX pending_logins_expires_at ON pending_logins (expires_at);

CREATE TABLE totp_factors (
    user_id           uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    secret_ciphertext bytea NOT NULL,
    -- The time step of the last code that was accepted: a code is good once (RFC 6238 section 5.2).
    used_step         bigint NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT now(),
    last_used_at      timestamptz
);

-- An authenticator app that is not confirmed by a code yet.
CREATE TABLE totp_enrollments (
    user_id           uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    secret_ciphertext bytea NOT NULL,
    expires_at        timestamptz NOT NULL
);

CREATE TABLE passkeys (
    id            uuid PRIMARY KEY,
    user_id       uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    credential_id bytea NOT NULL CONSTRAINT passkeys_credential_key UNIQUE,
    -- Public key, counter and flags, as the WebAuthn library keeps them. No secret.
    credential    jsonb NOT NULL,
    name          text NOT NULL,
    synced        boolean NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    last_used_at  timestamptz
);
CREATE INDEX passkeys_user ON passkeys (user_id, created_at);

-- Challenges that browsers were given: each is good once, for five minutes.
CREATE TABLE passkey_ceremonies (
    id         uuid PRIMARY KEY,
    -- What it may end in; a challenge for one thing is no use for another.
    purpose    text NOT NULL CHECK (purpose IN ('SIGN_IN', 'SECOND_FACTOR', 'STEP_UP', 'REGISTER')),
    user_id    uuid REFERENCES users ON DELETE CASCADE,
    state      jsonb NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT passkey_ceremonies_user CHECK ((user_id IS NULL) = (purpose = 'SIGN_IN'))
);
CREATE INDEX passkey_ceremonies_expires_at ON passkey_ceremonies (expires_at);
CREATE INDEX passkey_ceremonies_user ON passkey_ceremonies (user_id);

CREATE TABLE recovery_codes (
    user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    digest  bytea NOT NULL CHECK (octet_length(digest) = 32),
    made_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz,
    PRIMARY KEY (user_id, digest)
);

-- Browsers that a person signed in with before: strangers' failures do not count against them.
CREATE TABLE known_devices (
    user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    digest       bytea NOT NULL CHECK (octet_length(digest) = 32),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, digest)
);

-- Attempts to prove who one is, by a keyed digest of what they are counted for (account, address, browser …).
CREATE TABLE throttles (
    key           bytea PRIMARY KEY CHECK (octet_length(key) = 32),
    failures      integer NOT NULL DEFAULT 0,
    charged_at    timestamptz NOT NULL DEFAULT now(),
    blocked_until timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX throttles_charged_at ON throttles (charged_at);

-- Charges an attempt to each key before it is made, so that attempts at the same time count too; or charges none and
-- says how many seconds to wait. The first `new_free` failures cost nothing, then 1 s, doubled each time, 15 minutes at
-- most; a failure is forgiven every 10 minutes.
CREATE FUNCTION throttle_charge(new_keys bytea[], new_free integer[]) RETURNS double precision LANGUAGE plpgsql AS $$
DECLARE
    wait double precision;
    at   timestamptz := clock_timestamp();
BEGIN
    -- A flood of refused attempts reads only.
    SELECT extract(epoch FROM max(blocked_until) - at) INTO wait FROM throttles WHERE key = ANY (new_keys);
    IF wait > 0 THEN RETURN wait; END IF;
    -- In one order, so that two never wait for each other.
    INSERT INTO throttles (key) SELECT k FROM unnest(new_keys) k ORDER BY k ON CONFLICT (key) DO NOTHING;
    PERFORM 1 FROM throttles WHERE key = ANY (new_keys) ORDER BY key FOR UPDATE;
    at := clock_timestamp();
    SELECT extract(epoch FROM max(blocked_until) - at) INTO wait FROM throttles WHERE key = ANY (new_keys);
    IF wait > 0 THEN RETURN wait; END IF;
    UPDATE throttles t
    SET failures = n.failures, charged_at = at,
        blocked_until = CASE WHEN n.failures > n.free
            THEN at + least(900, 2 ^ (n.failures - n.free - 1)) * interval '1 second' ELSE at END
    FROM (SELECT o.key, k.free,
                 least(k.free + 12,
                       greatest(0, o.failures - floor(extract(epoch FROM at - o.charged_at) / 600)::integer) + 1) AS failures
          FROM throttles o JOIN unnest(new_keys, new_free) AS k (key, free) ON k.key = o.key) n
    WHERE n.key = t.key;
    RETURN 0;
END $$;
