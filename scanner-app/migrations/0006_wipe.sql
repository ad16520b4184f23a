-- That this handheld was wiped, until it is enrolled anew. `done` once its rows have their receipts and nothing is left.
CREATE TABLE wipe (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    at_ms INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    done  INTEGER NOT NULL CHECK (done IN (0, 1))
) STRICT;
