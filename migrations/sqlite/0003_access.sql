-- Projects, the tokens that may do something in them, and the log of who changed what.

CREATE TABLE projects (
    name TEXT NOT NULL PRIMARY KEY,
    -- Quotas; none where null.
    max_studies INTEGER,
    max_trials INTEGER,
    max_networks INTEGER,
    max_bytes INTEGER,
    max_asks_a_minute INTEGER,
    max_requests_a_minute INTEGER,
    created_at TEXT NOT NULL
) STRICT;

INSERT INTO projects (name, created_at)
SELECT project, min(created_at)
FROM (SELECT project, created_at FROM studies UNION ALL SELECT project, created_at FROM networks) AS known
GROUP BY project;
INSERT INTO projects (name, created_at) VALUES ('default', strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')) ON CONFLICT (name) DO NOTHING;

CREATE TABLE tokens (
    id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    -- The first characters, by which a token that leaked is found.
    prefix TEXT NOT NULL,
    -- SHA-256 of the whole token, which is kept nowhere.
    hash BLOB NOT NULL UNIQUE,
    -- The token that a session in a browser began with, and ends with.
    parent BLOB REFERENCES tokens (id) ON DELETE CASCADE,
    created_by TEXT,
    created_at TEXT NOT NULL,
    expires_at TEXT,
    revoked_at TEXT,
    last_used_at TEXT
) STRICT;

CREATE TABLE token_roles (
    token_id BLOB NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
    -- A project's name, or * for every one.
    project TEXT NOT NULL,
    -- viewer, experimenter, owner or admin.
    role TEXT NOT NULL,
    PRIMARY KEY (token_id, project)
) STRICT;

CREATE INDEX token_roles_project ON token_roles (project, token_id);

-- It refers to nothing, so that it outlasts what it tells of.
CREATE TABLE audit (
    id BLOB NOT NULL PRIMARY KEY,
    at TEXT NOT NULL,
    -- None: the server's.
    project TEXT,
    token_id BLOB,
    who TEXT NOT NULL,
    address TEXT,
    request_id TEXT,
    action TEXT NOT NULL,
    study_id BLOB,
    number INTEGER,
    data TEXT NOT NULL
) STRICT;

CREATE INDEX audit_project ON audit (project, id);
CREATE INDEX audit_at ON audit (at);
