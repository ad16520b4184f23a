-- When a device was revoked: its rows from before may be released from quarantine, those from after may not.
ALTER TABLE devices ADD COLUMN revoked_at_ms BIGINT;
