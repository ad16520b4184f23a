-- Tables of accounts: who may call the API and who may sign in. Secrets are kept as hashes only.
CREATE TABLE api_keys (
    id BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    secret_sha256 BLOB NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    revoked_at_ms BIGINT
);

CREATE TABLE staff (
    id BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    disabled_at_ms BIGINT
);

CREATE TABLE staff_sessions (
    token_sha256 BLOB NOT NULL PRIMARY KEY,
    staff_id BIGINT NOT NULL REFERENCES staff (id),
    created_at_ms BIGINT NOT NULL,
    expires_at_ms BIGINT NOT NULL
);
CREATE INDEX staff_sessions_by_expiry ON staff_sessions (expires_at_ms);
CREATE INDEX staff_sessions_by_staff ON staff_sessions (staff_id);

-- One row per failed sign-in and bucket (the name, the address, both together), for the rate limit.
CREATE TABLE sign_in_failures (
    id BIGINT NOT NULL PRIMARY KEY,
    bucket TEXT NOT NULL,
    at_ms BIGINT NOT NULL
);
CREATE INDEX sign_in_failures_by_bucket ON sign_in_failures (bucket, at_ms);
CREATE INDEX sign_in_failures_by_age ON sign_in_failures (at_ms);
