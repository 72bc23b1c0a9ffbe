-- Projects, the tokens that may do something in them, and the log of who changed what.

CREATE TABLE projects (
    name text PRIMARY KEY,
    -- Quotas; none where null.
    max_studies bigint,
    max_trials bigint,
    max_networks bigint,
    max_bytes bigint,
    max_asks_a_minute bigint,
    max_requests_a_minute bigint,
    created_at timestamptz NOT NULL
);

INSERT INTO projects (name, created_at)
SELECT project, min(created_at)
FROM (SELECT project, created_at FROM studies UNION ALL SELECT project, created_at FROM networks) AS known
GROUP BY project;
INSERT INTO projects (name, created_at) VALUES ('default', now()) ON CONFLICT (name) DO NOTHING;

CREATE TABLE tokens (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    -- The first characters, by which a token that leaked is found.
    prefix text NOT NULL,
    -- SHA-256 of the whole token, which is kept nowhere.
    hash bytea NOT NULL UNIQUE,
    -- The token that a session in a browser began with, and ends with.
    parent uuid REFERENCES tokens (id) ON DELETE CASCADE,
    created_by text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);

CREATE TABLE token_roles (
    token_id uuid NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
    -- A project's name, or * for every one.
    project text NOT NULL,
    -- viewer, experimenter, owner or admin.
    role text NOT NULL,
    PRIMARY KEY (token_id, project)
);

CREATE INDEX token_roles_project ON token_roles (project, token_id);

-- It refers to nothing, so that it outlasts what it tells of.
CREATE TABLE audit (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    -- None: the server's.
    project text,
    token_id uuid,
    who text NOT NULL,
    address text,
    request_id text,
    action text NOT NULL,
    study_id uuid,
    number bigint,
    data jsonb NOT NULL
);

CREATE INDEX audit_project ON audit (project, id);
CREATE INDEX audit_at ON audit (at);
