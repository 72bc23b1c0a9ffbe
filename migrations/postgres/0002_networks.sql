-- Networks, which studies use them, and the solves that run in the background.

CREATE TABLE networks (
    id uuid PRIMARY KEY,
    project text NOT NULL,
    name text NOT NULL,
    -- The file as it was uploaded.
    onnx bytea NOT NULL,
    bytes bigint NOT NULL,
    -- What was found in it: inputs, outputs, whether there is a gradient.
    description jsonb NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE study_networks (
    study_id uuid NOT NULL REFERENCES studies (id) ON DELETE CASCADE,
    network_id uuid NOT NULL REFERENCES networks (id) ON DELETE RESTRICT,
    PRIMARY KEY (study_id, network_id)
);

CREATE INDEX study_networks_network ON study_networks (network_id);

-- One a study: the last one asked for.
CREATE TABLE solves (
    study_id uuid PRIMARY KEY REFERENCES studies (id) ON DELETE CASCADE,
    -- running, completed, cancelled or failed.
    state text NOT NULL,
    evaluations bigint NOT NULL,
    done bigint NOT NULL,
    passes bigint NOT NULL,
    reason text,
    -- The server that computes it, and until when it is its own without a sign of life.
    owner uuid,
    owned_until timestamptz,
    started_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE INDEX solves_running ON solves (owned_until) WHERE state = 'running';
