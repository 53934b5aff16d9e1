-- The life of the dashboard's keys (invariant 14). The keys themselves are in the key file, never here: these tables say
-- which keys there are, so that every dashboard on this database seals and signs with the same ones, and notices a key
-- file that is not the right one.

CREATE TABLE master_keys (
    id                integer PRIMARY KEY CHECK (id > 0),
    -- ANNOUNCED: dashboards are to read it from their key files. ACTIVE: it seals. REPLACED: it only opens. RETIRED:
    -- nothing is sealed with it. LOST: what is sealed with it cannot be opened any more.
    state             text NOT NULL CHECK (state IN ('ANNOUNCED', 'ACTIVE', 'REPLACED', 'RETIRED', 'LOST')),
    -- A known text sealed with it: whoever cannot open it has another key under this id.
    canary_ciphertext bytea NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    activated_at      timestamptz,
    -- When it was retired, or said to be lost.
    retired_at        timestamptz
);
CREATE UNIQUE INDEX master_keys_one_active ON master_keys (state) WHERE state = 'ACTIVE';

CREATE TABLE signing_keys (
    id         integer PRIMARY KEY CHECK (id > 0),
    public_key bytea NOT NULL UNIQUE CHECK (octet_length(public_key) = 32),
    -- As signatures name it (keyid).
    key_id     text NOT NULL UNIQUE,
    -- LIVE: gateways are to trust it; of several the newest that a gateway trusts signs for it.
    state      text NOT NULL CHECK (state IN ('LIVE', 'RETIRED', 'LOST')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    retired_at timestamptz
);

-- The dashboards that run on this database; each renews its row every few seconds.
CREATE TABLE dashboards (
    -- Of the process: new at every start.
    instance        uuid PRIMARY KEY,
    hostname        text NOT NULL,
    version         text NOT NULL,
    started_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The keys that it holds, and that are the ones of this database.
    master_key_ids  integer[] NOT NULL,
    signing_key_ids integer[] NOT NULL,
    -- What it seals with; NULL when it cannot.
    sealing_key_id  integer,
    -- What it misses, as it tells its admins.
    problems        text[] NOT NULL
);

-- The signing keys that the gateway trusts, as it says: their ids, separated by spaces. NULL for versions that do not say.
ALTER TABLE gateway_installs ADD COLUMN trusted_keys text;

-- The id of the master key that something was sealed with: bytes 2 to 5 behind the layout's number; NULL for anything else.
CREATE FUNCTION sealing_key_of(sealed bytea) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN octet_length(sealed) > 29 AND get_byte(sealed, 0) = 1
                      THEN (get_byte(sealed, 1)::bigint << 24) | (get_byte(sealed, 2) << 16)
                           | (get_byte(sealed, 3) << 8) | get_byte(sealed, 4) END $$;

-- Nothing is stored that was sealed with a key on its way out of the key files: a dashboard that slept through a rotation is
-- refused, and reads its key file again. FOR SHARE waits for a retirement under way, and makes one wait for this row.
CREATE FUNCTION sealed_with_a_living_key() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    column_name text;
    sealed      bytea;
    found_state text;
BEGIN
    FOREACH column_name IN ARRAY TG_ARGV LOOP
        EXECUTE format('SELECT ($1).%I', column_name) INTO sealed USING NEW;
        SELECT state INTO found_state FROM master_keys WHERE id = sealing_key_of(sealed) FOR SHARE;
        IF found_state IN ('RETIRED', 'LOST') THEN
            RAISE EXCEPTION 'sealed with master key %, which is %', sealing_key_of(sealed), found_state
                USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
    END LOOP;
    RETURN NEW;
END $$;

CREATE TRIGGER servers_sealed_alive
    BEFORE INSERT OR UPDATE OF api_key_ciphertext, api_secret_ciphertext, next_key_ciphertext ON servers FOR EACH ROW
    EXECUTE FUNCTION sealed_with_a_living_key('api_key_ciphertext', 'api_secret_ciphertext', 'next_key_ciphertext');
CREATE TRIGGER connections_sealed_alive
    BEFORE INSERT OR UPDATE OF credential_ciphertext, sudo_ciphertext ON connections FOR EACH ROW
    EXECUTE FUNCTION sealed_with_a_living_key('credential_ciphertext', 'sudo_ciphertext');
CREATE TRIGGER jobs_sealed_alive
    BEFORE INSERT OR UPDATE OF api_secret_ciphertext ON jobs FOR EACH ROW
    EXECUTE FUNCTION sealed_with_a_living_key('api_secret_ciphertext');
