-- The servers that no gateway has spoken for since they were made or uninstalled: what a list and a count of them read, instead
-- of the whole fleet. A table of its own, because a first heartbeat must not wait for whoever holds its server's row.
CREATE TABLE servers_without_install (server_id uuid PRIMARY KEY REFERENCES servers ON DELETE CASCADE);

CREATE FUNCTION servers_have_no_install() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO servers_without_install VALUES (NEW.id);
    RETURN NULL;
END $$;
CREATE TRIGGER servers_have_no_install AFTER INSERT ON servers
    FOR EACH ROW EXECUTE FUNCTION servers_have_no_install();

CREATE OR REPLACE FUNCTION gateway_installs_note_several() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Of two first heartbeats at the same time the second one sees the first.
    PERFORM pg_advisory_xact_lock(34, get_byte(uuid_send(NEW.server_id), 0));
    DELETE FROM servers_without_install WHERE server_id = NEW.server_id;
    IF EXISTS (SELECT FROM gateway_installs WHERE server_id = NEW.server_id AND install_id <> NEW.install_id) THEN
        INSERT INTO several_installs VALUES (NEW.server_id) ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION gateway_installs_note_last() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Nearly always there is another one, and nothing to wait for.
    IF EXISTS (SELECT FROM gateway_installs WHERE server_id = OLD.server_id) THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(34, get_byte(uuid_send(OLD.server_id), 0));
    -- A first heartbeat may have been recorded meanwhile, or the server may have gone.
    PERFORM FROM servers WHERE id = OLD.server_id FOR KEY SHARE;
    IF FOUND AND NOT EXISTS (SELECT FROM gateway_installs WHERE server_id = OLD.server_id) THEN
        INSERT INTO servers_without_install VALUES (OLD.server_id) ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER gateway_installs_note_last AFTER DELETE ON gateway_installs
    FOR EACH ROW EXECUTE FUNCTION gateway_installs_note_last();

INSERT INTO servers_without_install
SELECT id FROM servers s WHERE NOT EXISTS (SELECT FROM gateway_installs g WHERE g.server_id = s.id);
