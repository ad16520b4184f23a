-- Tables of tickets: what was issued, every credential ever signed, and the version of each event's list.
-- `change` is the list version that a ticket last changed in: a delta is what has a higher one.
CREATE TABLE tickets (
    id BIGINT NOT NULL PRIMARY KEY,
    event_id BIGINT NOT NULL,
    class_id BIGINT NOT NULL,
    serial BIGINT NOT NULL,
    revoked_to BIGINT,
    holder_algorithm BIGINT NOT NULL,
    holder_key BLOB,
    link_number BIGINT NOT NULL,
    reference TEXT,
    change BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    CHECK (serial BETWEEN 1 AND 254),
    CHECK ((holder_algorithm = 0) = (holder_key IS NULL))
);
CREATE INDEX tickets_by_change ON tickets (event_id, change);

-- One credential for a ticket and serial, ever.
CREATE TABLE credentials (
    ticket_id BIGINT NOT NULL REFERENCES tickets (id),
    serial BIGINT NOT NULL,
    bytes BLOB NOT NULL,
    issued_at_ms BIGINT NOT NULL,
    PRIMARY KEY (ticket_id, serial)
);

CREATE TABLE list_versions (
    event_id BIGINT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL,
    tickets BIGINT NOT NULL
);
