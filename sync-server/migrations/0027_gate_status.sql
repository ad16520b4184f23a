-- What each handheld told last of itself, as it told it (CBOR); nothing is decided by it.
CREATE TABLE device_status (
    device_id BIGINT NOT NULL PRIMARY KEY,
    event_id BIGINT NOT NULL,
    told_at_ms BIGINT NOT NULL,
    document BLOB NOT NULL
);
CREATE INDEX device_status_by_event ON device_status (event_id);
-- The newest scans of an event, for the gaps between them.
CREATE INDEX scans_by_time ON scans (event_id, at_ms);
