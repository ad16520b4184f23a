-- The last row that was forgotten, by policy and against its receipt: the journal begins after it, and still stands as a chain.
CREATE TABLE journal_base (
    epoch INTEGER PRIMARY KEY,
    seq   INTEGER NOT NULL CHECK (seq > 0),
    hash  BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
