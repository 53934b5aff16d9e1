-- The manual way of installing: a command that the box runs itself (product.md section 5).

-- At most one install token a server: making another replaces it, deleting it withdraws it.
CREATE TABLE install_tokens (
    server_id  uuid PRIMARY KEY REFERENCES servers ON DELETE CASCADE,
    -- SHA-256 of the token; the token itself is shown once and kept nowhere.
    digest     bytea NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
    -- The name of who made it; a copy, as in the audit log.
    made_by    text NOT NULL,
    made_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    -- The job that it was used for: then it is good for nothing else.
    job_id     uuid REFERENCES jobs ON DELETE CASCADE
);

ALTER TABLE jobs
    -- SHA-256 of the token by which the box reports. With one the box itself runs the job: no dashboard takes it, and its
    -- lease is renewed by reports.
    ADD COLUMN report_digest   bytea UNIQUE CHECK (octet_length(report_digest) = 32),
    -- Of the last report that was taken.
    ADD COLUMN report_sequence bigint NOT NULL DEFAULT 0,
    -- Since when the heartbeat that proves the end is there, and the box has been told: from then on the install stands.
    ADD COLUMN proven_at       timestamptz;
