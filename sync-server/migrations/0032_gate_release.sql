-- Who released rows of a revoked device from quarantine. `until_ms` is the time that they were released up to.
CREATE TABLE releases (
    id BIGINT NOT NULL PRIMARY KEY,
    device_id BIGINT NOT NULL,
    event_id BIGINT NOT NULL,
    released_at_ms BIGINT NOT NULL,
    until_ms BIGINT NOT NULL,
    rows_released BIGINT NOT NULL,
    released_by TEXT NOT NULL,
    released_by_name TEXT NOT NULL
);
CREATE INDEX releases_by_event ON releases (event_id, device_id);
CREATE INDEX scans_quarantined ON scans (event_id, device_id) WHERE quarantined = 1;
