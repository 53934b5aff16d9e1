-- How the last attempt to reach a gateway's management API (:6060) went. It is about one address and one certificate: when
-- the server has another of either by now, the row says nothing.
CREATE TABLE management_checks (
    server_id   uuid PRIMARY KEY REFERENCES servers ON DELETE CASCADE,
    host        text NOT NULL,
    -- The pinned certificate: sha256:…
    fingerprint text NOT NULL,
    tried_at    timestamptz NOT NULL,
    -- When it answered last.
    answered_at timestamptz,
    -- Why the last attempt failed: code, sentence, remedy; NULL when it did not.
    problem     jsonb
);
