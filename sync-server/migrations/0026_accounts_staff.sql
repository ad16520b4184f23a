-- Staff at the lanes of an event: who may unlock a handheld, by number and PIN. Of a PIN only its verifier is kept (argon2id with
-- salt and cost, as the handhelds get it, in CBOR).
CREATE TABLE lane_staff (
    event_id BIGINT NOT NULL,
    number BIGINT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    pin_verifier BLOB NOT NULL,
    changed_at_ms BIGINT NOT NULL,
    changed_by TEXT NOT NULL,
    PRIMARY KEY (event_id, number)
);

-- The version of an event's staff: rises with every change, and stays when the last member has gone.
CREATE TABLE lane_staff_versions (
    event_id BIGINT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL
);
