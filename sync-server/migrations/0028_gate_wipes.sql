-- A device that is to be wiped: since when, by which signed word, and when it was first given that.
ALTER TABLE devices ADD COLUMN wiped_at_ms BIGINT;
ALTER TABLE devices ADD COLUMN wipe BLOB;
ALTER TABLE devices ADD COLUMN wipe_sent_at_ms BIGINT;
