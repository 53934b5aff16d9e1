-- Every table with something sealed refuses what is sealed with a retired key: also those that a migration made before the
-- function was there. Later ones attach the trigger themselves (a test looks).
DO $$
DECLARE
    sealed record;
BEGIN
    FOR sealed IN
        SELECT c.table_name AS name, string_agg(quote_ident(c.column_name), ', ' ORDER BY c.ordinal_position) AS columns,
               string_agg(quote_literal(c.column_name), ', ' ORDER BY c.ordinal_position) AS arguments
        FROM information_schema.columns c
        JOIN information_schema.tables t USING (table_schema, table_name)
        WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' AND c.data_type = 'bytea'
          AND c.column_name LIKE '%\_ciphertext' AND c.table_name NOT IN ('master_keys', 'servers', 'connections', 'jobs')
        GROUP BY c.table_name
    LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE INSERT OR UPDATE OF %s ON %I FOR EACH ROW
                        EXECUTE FUNCTION sealed_with_a_living_key(%s)',
                       sealed.name || '_sealed_alive', sealed.columns, sealed.name, sealed.arguments);
    END LOOP;
END $$;
