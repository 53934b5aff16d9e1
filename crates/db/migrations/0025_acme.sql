-- The certificate of the public URL, when an authority that speaks ACME (RFC 8555) issues it. It is in the database so that
-- several dashboards share one, and so that any of them can answer the authority's question.
CREATE TABLE acme_accounts (
    id uuid PRIMARY KEY,
    -- The authority, by the URL of its directory.
    directory text NOT NULL UNIQUE,
    credentials_ciphertext bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER acme_accounts_sealed_alive
    BEFORE INSERT OR UPDATE OF credentials_ciphertext ON acme_accounts FOR EACH ROW
    EXECUTE FUNCTION sealed_with_a_living_key('credentials_ciphertext');

CREATE TABLE acme_certificates (
    id uuid PRIMARY KEY,
    host text NOT NULL,
    directory text NOT NULL,
    -- PEM, the host's own certificate first; none before the first was issued.
    chain text,
    key_ciphertext bytea,
    not_after timestamptz,
    renew_at timestamptz,
    -- What the authority is to find in the challenge's certificate (RFC 8737), and until when.
    challenge_digest bytea CHECK (octet_length(challenge_digest) = 32),
    challenge_until timestamptz,
    -- The process that is at it, which lets the others wait until then.
    claimed_by uuid,
    claimed_until timestamptz,
    failures integer NOT NULL DEFAULT 0,
    last_error text,
    last_error_at timestamptz,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (host, directory),
    CHECK ((chain IS NULL) = (key_ciphertext IS NULL) AND (chain IS NULL) = (not_after IS NULL) AND (chain IS NULL) = (renew_at IS NULL))
);
CREATE TRIGGER acme_certificates_sealed_alive
    BEFORE INSERT OR UPDATE OF key_ciphertext ON acme_certificates FOR EACH ROW
    EXECUTE FUNCTION sealed_with_a_living_key('key_ciphertext');
