-- People who sign in at an issuer (OpenID Connect). Each is a token that nobody has, the parent of their sessions: revoking it ends them.

ALTER TABLE tokens ADD COLUMN issuer text;
-- What the issuer calls the person, for ever.
ALTER TABLE tokens ADD COLUMN subject text;

-- One that was revoked stays in the log's sight; who signs in again is another.
CREATE UNIQUE INDEX tokens_person ON tokens (issuer, subject) WHERE issuer IS NOT NULL AND revoked_at IS NULL;
