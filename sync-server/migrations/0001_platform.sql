-- Tables of the platform: sequences, and stored answers of creating calls.
-- Types here mean the same to both engines: BIGINT, TEXT, BLOB (which the PostgreSQL adapter reads as BYTEA).
CREATE TABLE counters (
    name TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);

CREATE TABLE idempotency (
    actor TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    request_sha256 BLOB NOT NULL,
    status BIGINT NOT NULL,
    answer BLOB NOT NULL,
    created_at_ms BIGINT NOT NULL,
    PRIMARY KEY (actor, idempotency_key)
);
CREATE INDEX idempotency_by_age ON idempotency (created_at_ms);
