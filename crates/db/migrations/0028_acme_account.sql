-- What the account at the authority was made with, so that changed settings reach it. Unknown for those from before: their
-- contact is told once more, and one that was not bound by these settings is made anew where they ask for it.
ALTER TABLE acme_accounts
    ADD COLUMN contact text,
    -- The id of the external account's key (RFC 8555, 7.3.4) that it is bound to.
    ADD COLUMN external_key_id text;
