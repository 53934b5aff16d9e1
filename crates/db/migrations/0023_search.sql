-- Parts of names among many accounts: what is searched, in lower case, and every three letters in a row of it. Like
-- pg_trgm, which managed databases may refuse.
CREATE FUNCTION search_grams(folded text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT COALESCE(array_agg(DISTINCT substr(folded, n, 3)), '{}') FROM generate_series(1, length(folded) - 2) n $$;

ALTER TABLE users ADD COLUMN search text COLLATE "C"
    GENERATED ALWAYS AS (lower(username || E'\n' || COALESCE(display_name, ''))) STORED;
ALTER TABLE servers ADD COLUMN search text COLLATE "C" GENERATED ALWAYS AS (lower(name)) STORED;
CREATE INDEX users_search ON users USING gin (search_grams(search));
CREATE INDEX servers_search ON servers USING gin (search_grams(search));

-- Licenses that are in grace or expired: few.
CREATE INDEX servers_not_active ON servers (owner_id) WHERE license_status <> 'ACTIVE';
