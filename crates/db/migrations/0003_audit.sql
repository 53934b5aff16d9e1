-- The audit log (product.md section 3): copies of names and no foreign keys, hash-chained, one serialised head.
CREATE TABLE audit_log (
    id          bigint PRIMARY KEY,
    time        timestamptz NOT NULL,
    action      text NOT NULL,
    outcome     text NOT NULL CHECK (outcome IN ('SUCCESS', 'FAILURE')),
    target      uuid,
    target_type text,
    target_name text,
    user_id     uuid,
    username    text NOT NULL,
    metadata    jsonb NOT NULL,
    ip          inet,
    prev_hash   bytea NOT NULL,
    hash        bytea NOT NULL
);
CREATE INDEX audit_log_action ON audit_log (action, id);
CREATE INDEX audit_log_username ON audit_log (username, id);
CREATE INDEX audit_log_target ON audit_log (target, id);
CREATE INDEX audit_log_time ON audit_log (time, id);

CREATE TABLE audit_head (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    id        bigint NOT NULL,
    hash      bytea NOT NULL
);
INSERT INTO audit_head (id, hash) VALUES (0, '\x0000000000000000000000000000000000000000000000000000000000000000');

-- A row's hash: SHA-256 over the previous hash and the row, written as a JSON array whose text does not depend
-- on any session setting.
CREATE FUNCTION audit_row_hash(prev_hash bytea, r audit_log) RETURNS bytea LANGUAGE sql STABLE
    AS $$ SELECT sha256(prev_hash || convert_to(jsonb_build_array(
              r.id, (extract(epoch FROM r.time) * 1000000)::bigint, r.action, r.outcome, r.target, r.target_type,
              r.target_name, r.user_id, r.username, r.metadata, host(r.ip))::text, 'UTF8')) $$;

-- Appends in the caller's transaction. The head's row lock serialises writers until they commit, so call it last.
CREATE FUNCTION append_audit(
    new_action text, new_outcome text, new_target uuid, new_target_type text, new_target_name text,
    new_user_id uuid, new_username text, new_metadata jsonb, new_ip inet
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    head audit_head;
    r audit_log;
BEGIN
    SELECT * INTO STRICT head FROM audit_head FOR UPDATE;
    r.id := head.id + 1;
    r.time := clock_timestamp();
    r.action := new_action;
    r.outcome := new_outcome;
    r.target := new_target;
    r.target_type := new_target_type;
    r.target_name := new_target_name;
    r.user_id := new_user_id;
    r.username := new_username;
    r.metadata := new_metadata;
    r.ip := new_ip;
    r.prev_hash := head.hash;
    r.hash := audit_row_hash(head.hash, r);
    INSERT INTO audit_log SELECT r.*;
    UPDATE audit_head SET id = r.id, hash = r.hash;
    RETURN r.id;
END $$;

-- Rows are written once.
CREATE FUNCTION audit_log_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END $$;
CREATE TRIGGER audit_log_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_is_append_only();
