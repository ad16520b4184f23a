-- A handheld's database. Ids of 64 bits are kept as signed integers with the same bits.
-- Forward only: a later version adds a file; this one is never edited once released.

-- This device's chain of journal rows: one, with a random epoch, made with the database.
CREATE TABLE chain (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL
) STRICT;

-- Every scan, as it was signed. Append only: nothing here is updated, and a row leaves only against a receipt.
CREATE TABLE journal (
    epoch     INTEGER NOT NULL,
    seq       INTEGER NOT NULL CHECK (seq > 0),
    hash      BLOB NOT NULL CHECK (length(hash) = 32),
    bytes     BLOB NOT NULL,
    signature BLOB NOT NULL CHECK (length(signature) = 64),
    PRIMARY KEY (epoch, seq)
) STRICT, WITHOUT ROWID;

-- The last verdict that a screen has shown.
CREATE TABLE shown (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL,
    seq   INTEGER NOT NULL
) STRICT;

-- The newest receipt of each chain, as it was signed.
CREATE TABLE receipt (
    epoch INTEGER PRIMARY KEY,
    seq   INTEGER NOT NULL,
    bytes BLOB NOT NULL
) STRICT;

-- Every admission that uses a ticket up: this device's and those that it has received.
CREATE TABLE admission (
    event          INTEGER NOT NULL,
    ticket         INTEGER NOT NULL,
    device         INTEGER NOT NULL,
    epoch          INTEGER NOT NULL,
    seq            INTEGER NOT NULL,
    class          INTEGER NOT NULL,
    lane           INTEGER NOT NULL,
    at_ms          INTEGER NOT NULL,
    uncertainty_ms INTEGER NOT NULL,
    PRIMARY KEY (event, ticket, device, epoch, seq)
) STRICT, WITHOUT ROWID;

-- Other devices' rows as they were signed, and the certificate that each was believed by.
CREATE TABLE device_certificate (
    bytes  BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;
CREATE TABLE received (
    device      INTEGER NOT NULL,
    epoch       INTEGER NOT NULL,
    seq         INTEGER NOT NULL,
    bytes       BLOB NOT NULL,
    signature   BLOB NOT NULL,
    certificate BLOB NOT NULL REFERENCES device_certificate (bytes),
    PRIMARY KEY (device, epoch, seq)
) STRICT, WITHOUT ROWID;

-- Where this device stands: one row from the moment that it asked for a place.
CREATE TABLE station (
    id                   INTEGER PRIMARY KEY CHECK (id = 1),
    server               TEXT NOT NULL,
    tls_pin              BLOB NOT NULL CHECK (length(tls_pin) = 32),
    root_fingerprint     BLOB NOT NULL CHECK (length(root_fingerprint) = 32),
    device               INTEGER NOT NULL,
    -- What follows is there once a supervisor has confirmed.
    root                 BLOB CHECK (root IS NULL OR length(root) = 32),
    organiser            TEXT,
    event                INTEGER,
    event_name           TEXT,
    venue                TEXT,
    time_zone            TEXT,
    starts_at_ms         INTEGER,
    ends_at_ms           INTEGER,
    lane                 INTEGER,
    device_certificate   BLOB,
    lease_until_ms       INTEGER,
    minimum_list_version INTEGER,
    policy               BLOB
) STRICT;
CREATE TABLE authority_certificate (
    bytes BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;
CREATE TABLE key_revocation (
    bytes BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- Lists: at most one live and one being staged for an event; `retired` ones are swept away in small steps.
CREATE TABLE list (
    id           INTEGER PRIMARY KEY,
    event        INTEGER NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('live', 'staging', 'retired')),
    version      INTEGER NOT NULL,
    base         INTEGER NOT NULL,
    issued_at_s  INTEGER NOT NULL,
    expires_at_s INTEGER NOT NULL,
    tickets      INTEGER NOT NULL,
    manifest     BLOB NOT NULL,
    next_chunk   INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX list_one_live ON list (event) WHERE state = 'live';
CREATE UNIQUE INDEX list_one_staging ON list (event) WHERE state = 'staging';
CREATE TABLE listed (
    list      INTEGER NOT NULL REFERENCES list (id),
    ticket    INTEGER NOT NULL,
    serial    INTEGER NOT NULL,
    class     INTEGER NOT NULL,
    revoked   INTEGER NOT NULL CHECK (revoked IN (0, 1)),
    algorithm INTEGER NOT NULL,
    holder    BLOB NOT NULL,
    PRIMARY KEY (list, ticket)
) STRICT, WITHOUT ROWID;
CREATE INDEX listed_revoked ON listed (list) WHERE revoked = 1;
CREATE TABLE class (
    event         INTEGER NOT NULL,
    class         INTEGER NOT NULL,
    name          TEXT NOT NULL,
    valid_from_s  INTEGER NOT NULL,
    valid_until_s INTEGER NOT NULL,
    admissions    INTEGER NOT NULL,
    flags         INTEGER NOT NULL,
    PRIMARY KEY (event, class)
) STRICT, WITHOUT ROWID;

-- Both only ever rise, whatever list is live.
CREATE TABLE floor (
    event  INTEGER NOT NULL,
    ticket INTEGER NOT NULL,
    serial INTEGER NOT NULL,
    PRIMARY KEY (event, ticket)
) STRICT, WITHOUT ROWID;
CREATE TABLE revocation (
    event  INTEGER NOT NULL,
    ticket INTEGER NOT NULL,
    serial INTEGER NOT NULL,
    PRIMARY KEY (event, ticket)
) STRICT, WITHOUT ROWID;

CREATE TABLE feed_cursor (
    event  INTEGER PRIMARY KEY,
    cursor INTEGER NOT NULL
) STRICT;

-- The last signed time, tied to this device's clocks.
CREATE TABLE clock_anchor (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    signed_ms      INTEGER NOT NULL,
    system_ms      INTEGER NOT NULL,
    boot_ms        INTEGER NOT NULL,
    boot_id        BLOB NOT NULL CHECK (length(boot_id) = 16),
    uncertainty_ms INTEGER NOT NULL
) STRICT;
