-- Tables of the catalog: where and when, which lanes, which classes of ticket, and the gates' policy.
CREATE TABLE venues (
    id BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    time_zone TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL
);

CREATE TABLE events (
    id BIGINT NOT NULL PRIMARY KEY,
    venue_id BIGINT NOT NULL REFERENCES venues (id),
    name TEXT NOT NULL,
    starts_at_ms BIGINT NOT NULL,
    ends_at_ms BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    CHECK (starts_at_ms < ends_at_ms)
);
CREATE INDEX events_by_start ON events (starts_at_ms, id);
CREATE INDEX events_by_venue ON events (venue_id);

CREATE TABLE entrances (
    id BIGINT NOT NULL PRIMARY KEY,
    event_id BIGINT NOT NULL REFERENCES events (id),
    name TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    UNIQUE (event_id, name)
);

CREATE TABLE lanes (
    id BIGINT NOT NULL PRIMARY KEY,
    event_id BIGINT NOT NULL REFERENCES events (id),
    entrance_id BIGINT NOT NULL REFERENCES entrances (id),
    name TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    UNIQUE (event_id, name)
);
CREATE INDEX lanes_by_entrance ON lanes (entrance_id);

CREATE TABLE classes (
    event_id BIGINT NOT NULL REFERENCES events (id),
    id BIGINT NOT NULL,
    name TEXT NOT NULL,
    valid_from_ms BIGINT NOT NULL,
    valid_until_ms BIGINT NOT NULL,
    admissions BIGINT NOT NULL,
    flags BIGINT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    PRIMARY KEY (event_id, id),
    UNIQUE (event_id, name),
    CHECK (valid_from_ms < valid_until_ms),
    CHECK (admissions BETWEEN 1 AND 255)
);

-- Every policy that ever held: a version is never changed, the highest one holds. `document` is what was put, as JSON.
CREATE TABLE policies (
    event_id BIGINT NOT NULL REFERENCES events (id),
    version BIGINT NOT NULL,
    document TEXT NOT NULL,
    created_at_ms BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    PRIMARY KEY (event_id, version)
);
