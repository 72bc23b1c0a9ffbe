-- Studies, their trials, their events, and the answers kept for idempotency keys.

CREATE TABLE studies (
    id uuid PRIMARY KEY,
    project text NOT NULL,
    name text NOT NULL,
    -- The name in lower case, for searches.
    name_folded text NOT NULL,
    -- What was accepted when the study was created; never changes.
    definition jsonb NOT NULL,
    seed bigint NOT NULL,
    -- What may change.
    state text NOT NULL,
    budget_trials bigint,
    budget_cost double precision,
    default_lease_seconds bigint,
    retry_expired boolean NOT NULL,
    metadata jsonb NOT NULL,
    -- Raised by one with every event.
    revision bigint NOT NULL,
    next_number bigint NOT NULL,
    queued_trials bigint NOT NULL DEFAULT 0,
    running_trials bigint NOT NULL DEFAULT 0,
    completed_trials bigint NOT NULL DEFAULT 0,
    failed_trials bigint NOT NULL DEFAULT 0,
    stopped_trials bigint NOT NULL DEFAULT 0,
    abandoned_trials bigint NOT NULL DEFAULT 0,
    expired_trials bigint NOT NULL DEFAULT 0,
    -- What counts against the budget.
    spent_trials bigint NOT NULL DEFAULT 0,
    spent_cost double precision NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (project, name)
);

CREATE TABLE trials (
    study_id uuid NOT NULL REFERENCES studies (id) ON DELETE CASCADE,
    number bigint NOT NULL,
    state text NOT NULL,
    parameters jsonb NOT NULL,
    -- SHA-256 of the canonical point.
    point_key bytea NOT NULL,
    replicate bigint NOT NULL,
    outside boolean NOT NULL,
    attached boolean NOT NULL,
    retry_of bigint,
    superseded boolean NOT NULL,
    origin text NOT NULL,
    history_revision bigint NOT NULL,
    worker text,
    lease_token uuid,
    lease_seconds bigint,
    lease_expires_at timestamptz,
    outcome jsonb,
    -- The value of the study's cost metric in the outcome.
    cost double precision NOT NULL,
    -- The outcomes that amendments replaced.
    revisions jsonb NOT NULL,
    measurements jsonb NOT NULL,
    note text,
    tags jsonb NOT NULL,
    metadata jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    ended_at timestamptz,
    told_revision bigint,
    -- The study's revision of the last change of this trial.
    revision bigint NOT NULL,
    PRIMARY KEY (study_id, number)
);

-- A point is handed out once a replicate, except as a retry, and a trial is retried at most once.
CREATE UNIQUE INDEX trials_point ON trials (study_id, point_key, replicate) WHERE retry_of IS NULL;
CREATE UNIQUE INDEX trials_retry ON trials (study_id, retry_of) WHERE retry_of IS NOT NULL;
CREATE INDEX trials_revision ON trials (study_id, revision);
CREATE INDEX trials_state ON trials (study_id, state, number);
CREATE INDEX trials_lease ON trials (lease_expires_at) WHERE state = 'running';

CREATE TABLE events (
    study_id uuid NOT NULL REFERENCES studies (id) ON DELETE CASCADE,
    revision bigint NOT NULL,
    kind text NOT NULL,
    -- The trial it happened to.
    number bigint,
    at timestamptz NOT NULL,
    data jsonb NOT NULL,
    PRIMARY KEY (study_id, revision)
);

CREATE INDEX events_at ON events (at);

CREATE TABLE idempotency_keys (
    project text NOT NULL,
    method text NOT NULL,
    path text NOT NULL,
    key text NOT NULL,
    -- SHA-256 of the request's body.
    body bytea NOT NULL,
    status bigint NOT NULL,
    content_type text NOT NULL,
    location text,
    answer bytea NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (project, method, path, key)
);

CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);
