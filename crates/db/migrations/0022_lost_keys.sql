-- What an update leaves as it was is not stored anew: a server whose secret was sealed with a lost master key takes a new license key.
CREATE OR REPLACE FUNCTION sealed_with_a_living_key() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    column_name text;
    sealed      bytea;
    unchanged   boolean;
    found_state text;
BEGIN
    FOREACH column_name IN ARRAY TG_ARGV LOOP
        IF TG_OP = 'UPDATE' THEN
            EXECUTE format('SELECT ($1).%1$I IS NOT DISTINCT FROM ($2).%1$I', column_name) INTO unchanged USING NEW, OLD;
            CONTINUE WHEN unchanged;
        END IF;
        EXECUTE format('SELECT ($1).%I', column_name) INTO sealed USING NEW;
        SELECT state INTO found_state FROM master_keys WHERE id = sealing_key_of(sealed) FOR SHARE;
        IF found_state IN ('RETIRED', 'LOST') THEN
            RAISE EXCEPTION 'sealed with master key %, which is %', sealing_key_of(sealed), found_state
                USING ERRCODE = 'object_not_in_prerequisite_state';
        END IF;
    END LOOP;
    RETURN NEW;
END $$;
