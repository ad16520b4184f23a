-- Tables of the gate: enrolment, devices, the rows they sent, and what was found in them.
CREATE TABLE enrolments (
    id BIGINT NOT NULL PRIMARY KEY,
    code_sha256 BLOB NOT NULL UNIQUE,
    event_id BIGINT NOT NULL,
    lane_id BIGINT NOT NULL,
    made_by TEXT NOT NULL,
    expires_at_ms BIGINT NOT NULL,
    device_id BIGINT
);

CREATE TABLE devices (
    id BIGINT NOT NULL PRIMARY KEY,
    event_id BIGINT NOT NULL,
    lane_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    public_key BLOB NOT NULL,
    state TEXT NOT NULL,
    enrolled_at_ms BIGINT NOT NULL,
    last_contact_ms BIGINT,
    list_version BIGINT,
    list_sent_at_ms BIGINT,
    lease_until_ms BIGINT,
    certificate BLOB,
    CHECK (state IN ('pending', 'confirmed', 'revoked'))
);
CREATE INDEX devices_by_event ON devices (event_id);

-- The last row of each chain before its first gap.
CREATE TABLE chains (
    device_id BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    head_seq BIGINT NOT NULL,
    head_hash BLOB NOT NULL,
    PRIMARY KEY (device_id, epoch)
);

-- Journal rows as they came. `merged` counts the event's rows in the order of their merging: the feed's cursor.
CREATE TABLE scans (
    device_id BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    event_id BIGINT NOT NULL,
    lane_id BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    uncertainty_ms BIGINT NOT NULL,
    outcome BIGINT NOT NULL,
    reason TEXT NOT NULL,
    ticket_id BIGINT,
    quarantined BIGINT NOT NULL,
    hash BLOB NOT NULL,
    prev BLOB NOT NULL,
    bytes BLOB NOT NULL,
    signature BLOB NOT NULL,
    merged BIGINT NOT NULL,
    PRIMARY KEY (device_id, epoch, seq)
);
CREATE INDEX scans_by_ticket ON scans (event_id, ticket_id);
CREATE UNIQUE INDEX scans_by_merged ON scans (event_id, merged);

CREATE TABLE merge_counts (
    event_id BIGINT NOT NULL PRIMARY KEY,
    merged BIGINT NOT NULL
);

-- What each lane did in each minute, quarantined rows left out.
CREATE TABLE lane_minutes (
    event_id BIGINT NOT NULL,
    lane_id BIGINT NOT NULL,
    minute_ms BIGINT NOT NULL,
    outcome BIGINT NOT NULL,
    reason TEXT NOT NULL,
    scans BIGINT NOT NULL,
    PRIMARY KEY (event_id, lane_id, minute_ms, outcome, reason)
);

-- Tickets with more than one admission: where to look for conflicts.
CREATE TABLE repeated_tickets (
    event_id BIGINT NOT NULL,
    ticket_id BIGINT NOT NULL,
    PRIMARY KEY (event_id, ticket_id)
);

CREATE TABLE incidents (
    device_id BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    kind TEXT NOT NULL,
    event_id BIGINT NOT NULL,
    found_at_ms BIGINT NOT NULL,
    PRIMARY KEY (device_id, epoch, seq, kind)
);

-- Policies as they were signed for gates; a new one only when what it says has changed.
CREATE TABLE signed_policies (
    event_id BIGINT NOT NULL,
    version BIGINT NOT NULL,
    content_sha256 BLOB NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (event_id, version)
);
