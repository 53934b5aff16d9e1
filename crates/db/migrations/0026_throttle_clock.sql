-- As in 0010, whatever the clock does: one that is put back neither keeps anybody out until it has caught up, nor makes a
-- failure of many: what is blocked for longer than 15 minutes was blocked by another clock. And an attempt that costs nothing
-- delays none that is made at the same moment.
CREATE OR REPLACE FUNCTION throttle_wait(new_keys bytea[], at timestamptz) RETURNS double precision LANGUAGE sql STABLE AS $$
    SELECT coalesce(extract(epoch FROM max(blocked_until) - at), 0) FROM throttles
    WHERE key = ANY (new_keys) AND blocked_until > charged_at AND blocked_until <= at + interval '15 minutes'
$$;

CREATE OR REPLACE FUNCTION throttle_charge(new_keys bytea[], new_free integer[]) RETURNS double precision LANGUAGE plpgsql AS $$
DECLARE
    wait double precision;
    at   timestamptz := clock_timestamp();
BEGIN
    -- A flood of refused attempts reads only.
    wait := throttle_wait(new_keys, at);
    IF wait > 0 THEN RETURN wait; END IF;
    -- In one order, so that two never wait for each other.
    INSERT INTO throttles (key, charged_at, blocked_until) SELECT k, at, at FROM unnest(new_keys) k ORDER BY k
    ON CONFLICT (key) DO NOTHING;
    PERFORM 1 FROM throttles WHERE key = ANY (new_keys) ORDER BY key FOR UPDATE;
    at := clock_timestamp();
    wait := throttle_wait(new_keys, at);
    IF wait > 0 THEN RETURN wait; END IF;
    UPDATE throttles t
    SET failures = n.failures, charged_at = at,
        blocked_until = CASE WHEN n.failures > n.free
            THEN at + least(900, 2 ^ (n.failures - n.free - 1)) * interval '1 second' ELSE at END
    FROM (SELECT o.key, k.free,
                 least(k.free + 12,
                       greatest(0, o.failures - greatest(0, floor(extract(epoch FROM at - o.charged_at) / 600))::integer) + 1)
                     AS failures
          FROM throttles o JOIN unnest(new_keys, new_free) AS k (key, free) ON k.key = o.key) n
    WHERE n.key = t.key;
    RETURN 0;
END $$;
