//! Merging in any order, with any repetition, must give the same state and lose nothing.

use std::collections::BTreeMap;

use proptest::prelude::*;
use ticket_signer::{LaneId, SecretKey};

use super::*;
use crate::chain::row_hash;

const DEVICE: DeviceId = DeviceId(5);
const EVENT: EventId = EventId(7);
const EPOCH: u64 = 99;

fn key() -> SecretKey {
    SecretKey::from_bytes(&[5; 32])
}

fn body(seq: u64, prev: [u8; 32]) -> RowBody {
    RowBody {
        at_ms: 1_000 + seq as i64,
        uncertainty_ms: 1,
        code: Some("T1S".to_owned()),
        code_length: 3,
        outcome: 1,
        reason: "admitted".to_owned(),
        list_version: 1,
        policy_version: 1,
        ..RowBody::after(ChainHead { epoch: EPOCH, seq: seq - 1, hash: prev }, DEVICE, EVENT, LaneId(1))
    }
}

/// A sound chain of `count` rows.
fn chain(count: u64) -> Vec<SignedRow> {
    let mut prev = [0; 32];
    (1..=count)
        .map(|seq| {
            let row = body(seq, prev).sign(&key());
            prev = row_hash(&row.bytes);
            row
        })
        .collect()
}

/// A server that keeps everything in memory: what `gate/store.rs` does in SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Server {
    head: ChainHead,
    rows: BTreeMap<u64, KnownRow>,
}

impl Server {
    fn new() -> Self {
        Server { head: ChainHead::start(EPOCH), rows: BTreeMap::new() }
    }

    fn take(&mut self, rows: Vec<SignedRow>) -> MergePlan {
        let mut upload = check(DEVICE, EVENT, &key().public(), rows);
        let rows = upload.chains.remove(&EPOCH).unwrap_or_default();
        let named: Vec<u64> = rows.iter().map(|row| row.body.seq).collect();
        let known = self.rows.iter().filter(|(seq, _)| **seq > self.head.seq || named.contains(seq));
        let state = ChainState { head: self.head, known: known.map(|(seq, row)| (*seq, *row)).collect() };
        let plan = plan(&state, rows);
        for row in &plan.accepted {
            let stored = self.rows.insert(row.body.seq, KnownRow { hash: row.hash, prev: row.body.prev });
            assert_eq!(stored, None, "a stored row is never overwritten");
        }
        self.head = plan.head;
        plan
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_order_and_repetition_gives_the_same_state(order in prop::collection::vec(0usize..12, 0..60), batch in 1usize..5) {
        let rows = chain(12);
        let mut server = Server::new();
        let mut stored = 0;
        for part in order.chunks(batch) {
            let plan = server.take(part.iter().map(|at| rows[*at].clone()).collect());
            prop_assert_eq!(plan.incidents, vec![]);
            prop_assert_eq!(plan.accepted.len() + plan.duplicates as usize, part.len());
            stored += plan.accepted.len();
        }
        server.take(rows.clone());
        let mut whole = Server::new();
        whole.take(rows.clone());
        prop_assert_eq!(&server, &whole);
        prop_assert!(stored <= 12);
        prop_assert_eq!(server.head.seq, 12);
        prop_assert_eq!(server.head.hash, rows[11].hash());
    }
}

#[test]
fn the_same_bytes_again_are_a_duplicate() {
    let mut server = Server::new();
    server.take(chain(3));
    let plan = server.take(chain(3));
    assert_eq!((plan.accepted.len(), plan.duplicates, plan.incidents.len(), plan.head.seq), (0, 3, 0, 3));
}

#[test]
fn other_bytes_at_a_known_place_are_an_incident_and_the_rest_is_taken_in() {
    let rows = chain(3);
    let mut server = Server::new();
    server.take(rows[..2].to_vec());
    let mut forged = body(2, [0; 32]);
    forged.at_ms = 77;
    let plan = server.take(vec![forged.sign(&key()), rows[2].clone()]);
    assert_eq!(plan.incidents, vec![Incident { epoch: EPOCH, seq: 2, kind: IncidentKind::Fork }]);
    assert_eq!((plan.accepted.len(), plan.head.seq), (1, 3));
    assert_eq!(server.rows[&2].hash, rows[1].hash(), "the first one stays");
}

#[test]
fn a_receipt_stops_at_a_gap_and_at_a_broken_link() {
    let rows = chain(4);
    let mut server = Server::new();
    let plan = server.take(vec![rows[0].clone(), rows[2].clone(), rows[3].clone()]);
    assert_eq!((plan.accepted.len(), plan.head.seq), (3, 1));
    assert_eq!(server.take(vec![rows[1].clone()]).head.seq, 4, "the gap closes");

    let mut server = Server::new();
    let plan = server.take(vec![rows[0].clone(), body(2, [9; 32]).sign(&key())]);
    assert_eq!(plan.incidents, vec![Incident { epoch: EPOCH, seq: 2, kind: IncidentKind::BrokenChain }]);
    assert_eq!((plan.accepted.len(), plan.head.seq), (2, 1), "it is kept as evidence, and no receipt covers it");
}

#[test]
fn rows_of_others_and_forgeries_are_incidents() {
    let mut foreign = body(1, [0; 32]);
    foreign.device = DeviceId(6);
    let forged = body(1, [0; 32]).sign(&SecretKey::from_bytes(&[6; 32]));
    let unreadable =
        SignedRow { bytes: b"nonsense".to_vec(), signature: key().sign(ticket_signer::domain::ROW, b"nonsense") };
    let upload = check(DEVICE, EVENT, &key().public(), vec![foreign.sign(&key()), forged, unreadable]);
    assert!(upload.chains.is_empty());
    let kinds: Vec<_> = upload.incidents.iter().map(|incident| incident.kind).collect();
    assert_eq!(kinds, vec![IncidentKind::Misplaced, IncidentKind::Signature, IncidentKind::Unreadable]);
}
