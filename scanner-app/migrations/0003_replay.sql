-- There is one row if this database was made to play another handheld's recordings: such a one never syncs. The row comes with the
-- copy of the station, in the same transaction, and is never taken away.
CREATE TABLE replay (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    made_at_ms INTEGER NOT NULL
) STRICT;
