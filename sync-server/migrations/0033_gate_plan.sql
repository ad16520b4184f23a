-- What an organiser expects of an event's evening, as it was put (JSON, docs/planning.md), and when its doors open.
CREATE TABLE plans (
    event_id BIGINT NOT NULL PRIMARY KEY,
    document TEXT NOT NULL,
    doors_open_at_ms BIGINT NOT NULL,
    put_at_ms BIGINT NOT NULL,
    put_by TEXT NOT NULL,
    put_by_name TEXT NOT NULL
);
