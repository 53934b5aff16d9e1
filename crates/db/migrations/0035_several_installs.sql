-- Locks in 256 buckets that follow the order of the rows, instead of one for each row: a batch of first heartbeats must not fill
-- the table of locks. Two batches still never wait for each other, since both go through the servers in one order.
CREATE OR REPLACE FUNCTION gateway_installs_note_several() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Of two first heartbeats at the same time the second one sees the first.
    PERFORM pg_advisory_xact_lock(34, get_byte(uuid_send(NEW.server_id), 0));
    IF EXISTS (SELECT FROM gateway_installs WHERE server_id = NEW.server_id AND install_id <> NEW.install_id) THEN
        INSERT INTO several_installs VALUES (NEW.server_id) ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;

-- What a dashboard recorded while 0034 had read the table and not yet made its trigger.
INSERT INTO several_installs SELECT server_id FROM gateway_installs GROUP BY server_id HAVING count(*) > 1
ON CONFLICT DO NOTHING;
