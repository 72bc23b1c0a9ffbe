-- Studies, their trials, their events, and the answers kept for idempotency keys.
-- Ids are BLOBs of 16 bytes, times TEXT in RFC 3339 (UTC), documents JSON in TEXT, and truth values 0 or 1.

CREATE TABLE studies (
    id BLOB NOT NULL PRIMARY KEY,
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    -- The name in lower case, for searches.
    name_folded TEXT NOT NULL,
    -- What was accepted when the study was created; never changes.
    definition TEXT NOT NULL,
    seed INTEGER NOT NULL,
    -- What may change.
    state TEXT NOT NULL,
    budget_trials INTEGER,
    budget_cost REAL,
    default_lease_seconds INTEGER,
    retry_expired INTEGER NOT NULL,
    metadata TEXT NOT NULL,
    -- Raised by one with every event.
    revision INTEGER NOT NULL,
    next_number INTEGER NOT NULL,
    queued_trials INTEGER NOT NULL DEFAULT 0,
    running_trials INTEGER NOT NULL DEFAULT 0,
    completed_trials INTEGER NOT NULL DEFAULT 0,
    failed_trials INTEGER NOT NULL DEFAULT 0,
    stopped_trials INTEGER NOT NULL DEFAULT 0,
    abandoned_trials INTEGER NOT NULL DEFAULT 0,
    expired_trials INTEGER NOT NULL DEFAULT 0,
    -- What counts against the budget.
    spent_trials INTEGER NOT NULL DEFAULT 0,
    spent_cost REAL NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    UNIQUE (project, name)
) STRICT;

CREATE TABLE trials (
    study_id BLOB NOT NULL REFERENCES studies (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    state TEXT NOT NULL,
    parameters TEXT NOT NULL,
    -- SHA-256 of the canonical point.
    point_key BLOB NOT NULL,
    replicate INTEGER NOT NULL,
    outside INTEGER NOT NULL,
    attached INTEGER NOT NULL,
    retry_of INTEGER,
    superseded INTEGER NOT NULL,
    origin TEXT NOT NULL,
    history_revision INTEGER NOT NULL,
    worker TEXT,
    lease_token BLOB,
    lease_seconds INTEGER,
    lease_expires_at TEXT,
    outcome TEXT,
    -- The value of the study's cost metric in the outcome.
    cost REAL NOT NULL,
    -- The outcomes that amendments replaced.
    revisions TEXT NOT NULL,
    measurements TEXT NOT NULL,
    note TEXT,
    tags TEXT NOT NULL,
    metadata TEXT NOT NULL,
    created_at TEXT NOT NULL,
    started_at TEXT,
    ended_at TEXT,
    told_revision INTEGER,
    -- The study's revision of the last change of this trial.
    revision INTEGER NOT NULL,
    PRIMARY KEY (study_id, number)
) STRICT;

-- A point is handed out once a replicate, except as a retry, and a trial is retried at most once.
CREATE UNIQUE INDEX trials_point ON trials (study_id, point_key, replicate) WHERE retry_of IS NULL;
CREATE UNIQUE INDEX trials_retry ON trials (study_id, retry_of) WHERE retry_of IS NOT NULL;
CREATE INDEX trials_revision ON trials (study_id, revision);
CREATE INDEX trials_state ON trials (study_id, state, number);
CREATE INDEX trials_lease ON trials (lease_expires_at) WHERE state = 'running';

CREATE TABLE events (
    study_id BLOB NOT NULL REFERENCES studies (id) ON DELETE CASCADE,
    revision INTEGER NOT NULL,
    kind TEXT NOT NULL,
    -- The trial it happened to.
    number INTEGER,
    at TEXT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (study_id, revision)
) STRICT;

CREATE INDEX events_at ON events (at);

CREATE TABLE idempotency_keys (
    project TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    key TEXT NOT NULL,
    -- SHA-256 of the request's body.
    body BLOB NOT NULL,
    status INTEGER NOT NULL,
    content_type TEXT NOT NULL,
    location TEXT,
    answer BLOB NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (project, method, path, key)
) STRICT;

CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);
