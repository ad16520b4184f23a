-- Venue edges: devices that bring other devices' rows.
ALTER TABLE enrolments ADD COLUMN kind TEXT NOT NULL DEFAULT 'lane';
ALTER TABLE devices ADD COLUMN kind TEXT NOT NULL DEFAULT 'lane';
-- The edge that brings a lane's rows; none while it talks to this server itself.
ALTER TABLE devices ADD COLUMN edge_id BIGINT;
-- When an edge last said that all its lanes had brought is here.
ALTER TABLE devices ADD COLUMN settled_at_ms BIGINT;
-- Where lanes reach an edge, and the hash of its TLS key.
ALTER TABLE devices ADD COLUMN server TEXT;
ALTER TABLE devices ADD COLUMN tls_pin BLOB;

-- What follows is used on an edge alone.
-- Where it is enrolled.
CREATE TABLE edge_places (
    event_id BIGINT NOT NULL PRIMARY KEY,
    device_id BIGINT NOT NULL,
    server TEXT NOT NULL,
    tls_pin BLOB NOT NULL,
    root_fingerprint BLOB NOT NULL,
    -- The last bundle that it was given itself; none before a supervisor confirmed it.
    bundle BLOB,
    feed_cursor BIGINT NOT NULL DEFAULT 0,
    feed_generation BIGINT
);

-- Up to where lanes want receipts of their chains, and the upstream's last receipt.
CREATE TABLE edge_chains (
    device_id BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    event_id BIGINT NOT NULL,
    wanted_seq BIGINT NOT NULL,
    receipt_seq BIGINT NOT NULL DEFAULT 0,
    receipt BLOB,
    PRIMARY KEY (device_id, epoch)
);

-- The last bundle that each lane was given.
CREATE TABLE edge_bundles (
    device_id BIGINT NOT NULL PRIMARY KEY,
    event_id BIGINT NOT NULL,
    bytes BLOB NOT NULL
);

-- The upstream's signed manifests, and the chunks that they name.
CREATE TABLE edge_manifests (
    event_id BIGINT NOT NULL,
    base BIGINT NOT NULL,
    version BIGINT NOT NULL,
    tickets BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    kept_at_ms BIGINT NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (event_id, base)
);
CREATE TABLE edge_chunks (
    event_id BIGINT NOT NULL,
    hash BLOB NOT NULL,
    kept_at_ms BIGINT NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (event_id, hash)
);
