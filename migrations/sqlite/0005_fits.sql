-- Fits of the surrogate that took long, so that a server that did not make them need not make them again. They are a memo: a row
-- that is missing costs time and changes no suggestion.

CREATE TABLE fits (
    -- SHA-256 of the observations and of all else that the fit depends on.
    digest BLOB NOT NULL,
    -- The numerics that made it: the release, a digest of its sources, and what the processor can do. Others may round
    -- otherwise, and make their own.
    made_by TEXT NOT NULL,
    -- The hyperparameters and the shape of the output, as JSON to the last bit.
    fitted TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (digest, made_by)
) STRICT;

CREATE INDEX fits_created_at ON fits (created_at);
