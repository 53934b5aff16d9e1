-- What is looked for every few seconds is found without reading the fleet.

CREATE INDEX servers_key_shared ON servers (id) WHERE key_shared_since IS NOT NULL;

-- The servers that more than one install has spoken for: few, and the only ones whose key can be in use on several hosts.
CREATE TABLE several_installs (server_id uuid PRIMARY KEY REFERENCES servers ON DELETE CASCADE);
INSERT INTO several_installs SELECT server_id FROM gateway_installs GROUP BY server_id HAVING count(*) > 1;

CREATE FUNCTION gateway_installs_note_several() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Of two first heartbeats at the same time the second one sees the first.
    PERFORM pg_advisory_xact_lock(hashtextextended(NEW.server_id::text, 34));
    IF EXISTS (SELECT FROM gateway_installs WHERE server_id = NEW.server_id AND install_id <> NEW.install_id) THEN
        INSERT INTO several_installs VALUES (NEW.server_id) ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER gateway_installs_note_several AFTER INSERT ON gateway_installs
    FOR EACH ROW EXECUTE FUNCTION gateway_installs_note_several();
