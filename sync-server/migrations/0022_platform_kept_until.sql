-- Until when a stored answer is given again, where that is shorter than answers are kept: it holds a secret that is useless then.
ALTER TABLE idempotency ADD COLUMN kept_until_ms BIGINT;
CREATE INDEX idempotency_by_kept_until ON idempotency (kept_until_ms) WHERE kept_until_ms IS NOT NULL;
