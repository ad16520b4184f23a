-- Guests going in and out: this device's rows and those that it has received.
ALTER TABLE admission RENAME TO passage;
ALTER TABLE passage ADD COLUMN direction INTEGER NOT NULL DEFAULT 1;
ALTER TABLE passage ADD COLUMN guests INTEGER NOT NULL DEFAULT 1;
