-- The event's staff as the server signed and sealed them to this device; opened in memory alone.
CREATE TABLE staff (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    bytes BLOB NOT NULL
) STRICT;
-- Wrong PINs in a row, counted in the commit of their rows: a restart forgets none.
CREATE TABLE unlock_failures (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    count INTEGER NOT NULL
) STRICT;
-- The time that a supervisor set, tied to this device's clocks; until the next signed time.
CREATE TABLE clock_by_hand (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    set_ms    INTEGER NOT NULL,
    system_ms INTEGER NOT NULL,
    boot_ms   INTEGER NOT NULL,
    boot_id   BLOB NOT NULL CHECK (length(boot_id) = 16)
) STRICT;
