-- One or two letters are looked up as three are.
DROP INDEX users_search, servers_search;
CREATE OR REPLACE FUNCTION search_grams(folded text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT COALESCE(array_agg(DISTINCT substr(folded, n, letters)), '{}')
          FROM generate_series(1, 3) letters, generate_series(1, length(folded) + 1 - letters) n $$;
-- What the grams of a text must have for it to hold the one that is searched.
CREATE FUNCTION search_needles(folded text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT array_agg(DISTINCT substr(folded, n, 3)) FROM generate_series(1, greatest(length(folded) - 2, 1)) n $$;
CREATE INDEX users_search ON users USING gin (search_grams(search));
CREATE INDEX servers_search ON servers USING gin (search_grams(search));

-- What a server's license and status follow from, without what only its page shows.
CREATE VIEW server_states AS
SELECT s.id, s.owner_id, s.license_status, s.grace_expires_at, i.last_heartbeat_at, i.phase,
       EXISTS (SELECT FROM jobs j
               WHERE j.server_id = s.id AND j.kind = 'INSTALL' AND j.state IN ('QUEUED', 'RUNNING')) AS installing
FROM servers s
LEFT JOIN LATERAL (
    SELECT g.last_heartbeat_at, g.phase FROM gateway_installs g
    WHERE g.server_id = s.id ORDER BY g.last_heartbeat_at DESC LIMIT 1
) i ON true;
