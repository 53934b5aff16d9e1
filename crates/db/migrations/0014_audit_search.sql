-- Pages of the audit log: newest first by (time, id), each filter by an index of its own, however many rows there are.
DROP INDEX audit_log_action, audit_log_username, audit_log_target;
CREATE INDEX audit_log_action ON audit_log (action, time, id);
CREATE INDEX audit_log_username ON audit_log (username, time, id);
CREATE INDEX audit_log_target ON audit_log (target, time, id);
CREATE INDEX audit_log_target_name ON audit_log (target_name, time, id);

-- Each name once, in lower case: a part of a name is looked up here, among thousands instead of millions.
CREATE TABLE audit_names (
    name   text PRIMARY KEY,
    folded text NOT NULL COLLATE "C"
);
INSERT INTO audit_names SELECT name, lower(name) FROM (SELECT DISTINCT target_name AS name FROM audit_log) n WHERE name IS NOT NULL;

CREATE FUNCTION audit_log_note_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_names VALUES (NEW.target_name, lower(NEW.target_name)) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER audit_log_note_name AFTER INSERT ON audit_log
    FOR EACH ROW WHEN (NEW.target_name IS NOT NULL) EXECUTE FUNCTION audit_log_note_name();
