-- What a row did: its act, and the guests who went in and out by it on a verified ticket.
ALTER TABLE scans ADD COLUMN act BIGINT NOT NULL DEFAULT 1;
ALTER TABLE scans ADD COLUMN guests_in BIGINT NOT NULL DEFAULT 0;
ALTER TABLE scans ADD COLUMN guests_out BIGINT NOT NULL DEFAULT 0;
UPDATE scans SET guests_in = 1 WHERE outcome = 1 AND ticket_id IS NOT NULL;
-- Guests who came in, beside the scans that said so.
ALTER TABLE lane_minutes ADD COLUMN guests BIGINT NOT NULL DEFAULT 0;
UPDATE lane_minutes SET guests = scans WHERE outcome = 1;
