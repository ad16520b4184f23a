-- The strict rule: grants given to lanes whose rows have not come. A grant counts as used until its row is here.
CREATE TABLE grants (
    device_id BIGINT NOT NULL,
    chain BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    event_id BIGINT NOT NULL,
    ticket_id BIGINT NOT NULL,
    guests BIGINT NOT NULL,
    owner_epoch BIGINT NOT NULL,
    until_ms BIGINT NOT NULL,
    PRIMARY KEY (device_id, chain, seq)
);
CREATE INDEX grants_by_ticket ON grants (event_id, ticket_id);
