-- What supervisors decided for a while: changes of an event's policy, and messages to its lanes. `until_ms` comes forward when
-- one is ended early.
CREATE TABLE decisions (
    id BIGINT NOT NULL PRIMARY KEY,
    event_id BIGINT NOT NULL,
    document TEXT NOT NULL,
    made_at_ms BIGINT NOT NULL,
    until_ms BIGINT NOT NULL,
    made_by TEXT NOT NULL,
    made_by_name TEXT NOT NULL,
    ended_by TEXT,
    -- The first version of the signed policy that has it, or its early end.
    policy_version BIGINT
);
CREATE INDEX decisions_by_event ON decisions (event_id, until_ms);
-- The version of the policy that the device was sent last.
ALTER TABLE devices ADD COLUMN policy_version BIGINT;
