-- Passwords that somebody else chose (docs/security.md, "Temporary passwords"): until then they sign in, and open nothing but
-- the choice of one's own. NULL: its owner's.
ALTER TABLE users ADD COLUMN password_temporary_until timestamptz;

-- Opened by such a password. A passkey alone shows nothing that somebody else knows.
ALTER TABLE sessions ADD COLUMN password_temporary boolean NOT NULL DEFAULT false;
