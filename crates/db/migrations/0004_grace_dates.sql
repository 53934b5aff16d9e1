-- A date that every reader can show: 'infinity' and years beyond 9999 are none in RFC 3339.
ALTER TABLE servers ADD CONSTRAINT servers_grace_date_is_a_date
    CHECK (grace_expires_at >= '0001-01-01 00:00:00+00' AND grace_expires_at < '10000-01-01 00:00:00+00');
