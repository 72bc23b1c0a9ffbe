-- Networks, which studies use them, and the solves that run in the background.

CREATE TABLE networks (
    id BLOB NOT NULL PRIMARY KEY,
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    -- The file as it was uploaded.
    onnx BLOB NOT NULL,
    bytes INTEGER NOT NULL,
    -- What was found in it: inputs, outputs, whether there is a gradient.
    description TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE study_networks (
    study_id BLOB NOT NULL REFERENCES studies (id) ON DELETE CASCADE,
    network_id BLOB NOT NULL REFERENCES networks (id),
    PRIMARY KEY (study_id, network_id)
) STRICT;

CREATE INDEX study_networks_network ON study_networks (network_id);

-- One a study: the last one asked for.
CREATE TABLE solves (
    study_id BLOB NOT NULL PRIMARY KEY REFERENCES studies (id) ON DELETE CASCADE,
    -- running, completed, cancelled or failed.
    state TEXT NOT NULL,
    evaluations INTEGER NOT NULL,
    done INTEGER NOT NULL,
    passes INTEGER NOT NULL,
    reason TEXT,
    -- The server that computes it, and until when it is its own without a sign of life.
    owner BLOB,
    owned_until TEXT,
    started_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;

CREATE INDEX solves_running ON solves (owned_until) WHERE state = 'running';
