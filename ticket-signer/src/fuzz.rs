//! What must hold for any bytes at all: the bodies of the fuzz targets in `fuzz/`, run here with seeded input as well.
//!
//! Each function takes whatever it is given, and panics where an invariant of this crate is broken: nothing panics by
//! itself, one thing has one spelling, and nothing that was not signed is verified. Not a part of the library that others
//! use: it is compiled for tests and with feature `fuzzing` alone.

use crate::certificate::{CertificateFields, DeviceCertificateFields};
use crate::code::{self, ShortCode, decode_base45};
use crate::presentation::Presentation;
use crate::{
    Certificate, Challenge, ClassId, Credential, CredentialFields, DeviceCertificate, DeviceId, EventId, EventRange,
    HolderAlgorithm, HolderSecret, KeyRevocation, ListChunk, ListManifest, ListedTicket, Purpose, Role, SecretKey,
    Serial, TicketId, TicketStatus, TimeStep, TrustStore, UntrustedCode, VerifyContext, envelope, keyfile, verify,
};

/// Unix seconds.
const NOW_S: i64 = 1_790_000_000;
const EVENT: EventId = EventId(7);

/// A gate that believes one issuer, and the good codes that it takes.
pub struct Gate {
    trust: TrustStore,
    entries: Vec<ListedTicket>,
    /// Good at this gate now.
    pub codes: Vec<UntrustedCode>,
}

impl Default for Gate {
    /// # Panics
    /// Never: all that it signs is sound.
    fn default() -> Self {
        let (root, issuer) = (SecretKey::from_bytes(&[1; 32]), SecretKey::from_bytes(&[2; 32]));
        let mut trust = TrustStore::new(root.public(), "Hall");
        let certificate = Certificate::issue(certificate_fields(&issuer), &root).expect("a sound certificate");
        trust.add_certificate(&certificate.to_bytes()).expect("the root's certificate");
        let mut gate = Gate { trust, entries: Vec::new(), codes: Vec::new() };
        for algorithm in [HolderAlgorithm::Ed25519, HolderAlgorithm::P256] {
            let phone = HolderSecret::from_bytes(algorithm, &[3; 32]).expect("a phone's key");
            let fields = CredentialFields {
                ticket: TicketId(u64::from(algorithm.to_byte()) << 32),
                holder: Some(phone.public()),
                ..printed_fields()
            };
            let (ticket, serial, class) = (fields.ticket, fields.serial, fields.class);
            let step = TimeStep::at(NOW_S);
            let presentation = Presentation::sign(EVENT, ticket, serial, step, Challenge::NONE, &phone);
            let (status, holder) = (TicketStatus::Active, fields.holder.clone());
            gate.entries.push(ListedTicket { ticket, serial, class, status, holder });
            let credential = Box::new(Credential::issue(fields, &issuer).expect("a sound credential"));
            gate.codes.push(UntrustedCode::Short(ShortCode { ticket, serial, presentation }));
            gate.codes.push(UntrustedCode::Full { credential, presentation });
        }
        let credential = Box::new(Credential::issue(printed_fields(), &issuer).expect("a sound credential"));
        gate.codes.push(UntrustedCode::Printed { credential });
        gate
    }
}

impl Gate {
    fn admits(&self, code: &UntrustedCode) -> bool {
        let entry = self.entries.iter().find(|entry| entry.ticket == code.ticket());
        let context = VerifyContext { event: EVENT, trust: &self.trust, entry, now_s: NOW_S, freshness_steps: 2 };
        verify(code, &context).is_ok()
    }

    /// Any text: no panic, one spelling, and no code is verified but those that were signed.
    pub fn text(&self, text: &str) {
        if let Ok(bytes) = decode_base45(text) {
            assert_eq!(base45::encode(bytes), text, "base45 has one spelling");
        }
        let Ok(code) = code::parse(text) else { return };
        assert_eq!(code.to_text(), text, "a code has one spelling");
        let signed = self.codes.contains(&code);
        assert_eq!(self.admits(&code), signed, "verified and signed are the same: {text}");
    }

    /// Any bytes as a code's text, and as the bytes of each kind of code.
    pub fn bytes(&self, data: &[u8]) {
        if let Ok(text) = std::str::from_utf8(data) {
            self.text(text);
        }
        for kind in ['S', 'F', 'P'] {
            self.text(&format!("T1{kind}{}", base45::encode(data)));
        }
    }

    /// A good code, chosen and changed by `data`: which code, then pairs of a position and what is xored in there.
    pub fn changed(&self, data: &[u8]) {
        let Some((chosen, changes)) = data.split_first() else { return };
        let code = &self.codes[usize::from(*chosen) % self.codes.len()];
        let mut bytes = base45::decode(&code.to_text()[3..]).expect("our own text");
        for change in changes.chunks_exact(2) {
            let at = usize::from(change[0]) % bytes.len();
            bytes[at] ^= change[1];
        }
        self.text(&format!("T1{}{}", code.kind().letter(), base45::encode(bytes)));
    }

    /// Any bytes as what the root or an authority signs: no panic, one spelling, nothing believed.
    pub fn authority(&self, data: &[u8]) {
        if let Ok(credential) = Credential::from_bytes(data) {
            assert_eq!(credential.to_bytes()[..], *data);
        }
        if let Ok(certificate) = Certificate::from_bytes(data) {
            assert_eq!(certificate.to_bytes(), data);
        }
        if let Ok(certificate) = DeviceCertificate::from_bytes(data) {
            assert_eq!(certificate.to_bytes()[..], *data);
            assert!(self.trust.device(&certificate).is_err(), "nobody may certify devices here");
        }
        if let Ok(revocation) = KeyRevocation::from_bytes(data) {
            assert_eq!(revocation.to_bytes()[..], *data);
        }
        let mut trust = self.trust.clone();
        if let Ok(certificate) = trust.add_certificate(data) {
            assert!(self.trust.certificates().any(|known| *known == certificate), "the root signed one certificate");
        }
        assert!(trust.add_revocation(data).is_err(), "the root took no key back");
        for purpose in [Purpose::List, Purpose::Policy, Purpose::Time, Purpose::Receipt] {
            assert!(envelope::open(purpose, data, &self.trust, EVENT, NOW_S).is_err());
            assert!(envelope::open_kept(purpose, data, &self.trust, EVENT).is_err());
        }
    }
}

/// Any bytes as a list's manifest and as a chunk: no panic, one spelling, bounded.
pub fn list(data: &[u8]) {
    if let Ok(manifest) = ListManifest::from_bytes(data) {
        assert_eq!(manifest.to_bytes(), data);
    }
    if let Ok(chunk) = ListChunk::from_bytes(data) {
        assert_eq!(chunk.to_bytes(), data);
        assert!(chunk.tickets.len() <= crate::list::MAX_CHUNK_TICKETS);
        assert!(data.len() <= crate::list::MAX_CHUNK_BYTES);
    }
}

/// Any bytes as a key file: no panic, and what is read can be written and read again.
///
/// # Panics
/// Where that does not hold.
pub fn key_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(key) = keyfile::read_holder_public(text) {
        assert_eq!(keyfile::read_holder_public(&keyfile::write_holder_public(&key)), Ok(key));
    }
    if let Ok(key) = keyfile::read_holder_secret(text) {
        let again = keyfile::read_holder_secret(&keyfile::write_holder_secret(&key)).expect("our own text");
        assert_eq!(*again.to_bytes(), *key.to_bytes());
    }
}

fn printed_fields() -> CredentialFields {
    CredentialFields {
        event: EVENT,
        ticket: TicketId(5),
        serial: Serial::FIRST,
        flags: 0,
        class: ClassId(3),
        valid_from_s: 1_789_000_000,
        valid_until_s: 1_791_000_000,
        holder: None,
    }
}

fn certificate_fields(key: &SecretKey) -> CertificateFields {
    CertificateFields {
        role: Role::Issue,
        key: key.public(),
        organiser: "Hall".into(),
        events: vec![EventRange { first: EVENT, last: EVENT }],
        not_before_s: 1_789_000_000,
        not_after_s: 1_791_000_000,
    }
}

/// One good example of each thing with bytes: where changed input begins.
///
/// # Panics
/// Never: all that it makes is sound.
#[must_use]
pub fn examples() -> Vec<Vec<u8>> {
    let gate = Gate::default();
    let (root, key) = (SecretKey::from_bytes(&[1; 32]), SecretKey::from_bytes(&[2; 32]));
    let device = DeviceCertificateFields {
        device: DeviceId(9),
        key: key.public(),
        event: EVENT,
        not_before_s: 1_789_000_000,
        not_after_s: 1_791_000_000,
    };
    let chunk = ListChunk { tickets: gate.entries.clone() }.to_bytes();
    let manifest = ListManifest {
        event: EVENT,
        version: 300,
        base: 0,
        issued_at_s: 1_789_000_000,
        expires_at_s: 1_791_000_000,
        tickets: 2,
        classes: vec![crate::ClassEntry {
            class: ClassId(3),
            name: "Day".into(),
            valid_from_s: 1,
            valid_until_s: 2,
            admissions: 1,
            flags: 0,
        }],
        chunks: vec![crate::list::ChunkRef::of(&chunk, chunk.len())],
    }
    .to_bytes();
    let mut examples: Vec<Vec<u8>> = gate.codes.iter().map(|code| code.to_text().into_bytes()).collect();
    examples.extend([
        Certificate::issue(certificate_fields(&key), &root).expect("sound").to_bytes(),
        DeviceCertificate::issue(device, &key).expect("sound").to_bytes().to_vec(),
        KeyRevocation::issue(key.public().key_id(), 5, &key).to_bytes().to_vec(),
        envelope::seal(Purpose::List, &manifest, &key),
        envelope::seal(Purpose::Time, b"\xa1\x61t\x01", &key),
        manifest,
        chunk,
        keyfile::write_secret(&key).as_bytes().to_vec(),
        keyfile::write_public(&key.public()).into_bytes(),
    ]);
    examples
}

#[cfg(test)]
mod tests {
    use super::*;

    /// xorshift64*: the same numbers on every run.
    struct Dice(u64);

    impl Dice {
        fn roll(&mut self) -> u64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
        }

        fn below(&mut self, bound: usize) -> usize {
            (self.roll() % bound.max(1) as u64) as usize
        }

        fn bytes(&mut self, length: usize) -> Vec<u8> {
            (0..length).map(|_| self.roll() as u8).collect()
        }

        /// An example with a few bytes changed, cut, doubled or put in.
        fn mutated(&mut self, examples: &[Vec<u8>]) -> Vec<u8> {
            let mut data = examples[self.below(examples.len())].clone();
            for _ in 0..self.below(4) {
                let at = self.below(data.len());
                let byte = self.roll() as u8;
                match self.below(5) {
                    0 => data.truncate(at),
                    1 => data.insert(at, byte),
                    2 => data.extend_from_within(at..),
                    3 if !data.is_empty() => data[at] ^= 1 << (byte % 8),
                    _ if !data.is_empty() => data[at] = byte,
                    _ => {}
                }
                data.truncate(4096);
            }
            data
        }
    }

    fn everything(gate: &Gate, data: &[u8]) {
        gate.bytes(data);
        gate.changed(data);
        gate.authority(data);
        list(data);
        key_file(data);
    }

    #[test]
    fn the_examples_are_good() {
        let gate = Gate::default();
        assert!(gate.codes.iter().all(|code| gate.admits(code)), "or the rest shows nothing");
        for example in examples() {
            everything(&gate, &example);
        }
    }

    #[test]
    fn changed_examples_break_nothing() {
        let (gate, examples, mut dice) = (Gate::default(), examples(), Dice(0x7453_1001));
        for _ in 0..6_000 {
            everything(&gate, &dice.mutated(&examples));
        }
    }

    #[test]
    fn random_bytes_break_nothing() {
        let (gate, mut dice) = (Gate::default(), Dice(0x7453_1002));
        for length in (0..2_000).map(|at| at % 400) {
            everything(&gate, &dice.bytes(length));
        }
        // Of the lengths that codes have, more.
        for length in [79, 131, 201].repeat(500) {
            gate.bytes(&dice.bytes(length));
        }
    }

    #[test]
    fn no_single_bit_of_a_code_can_be_changed() {
        let gate = Gate::default();
        for code in &gate.codes {
            let text = code.to_text();
            let bytes = base45::decode(&text[3..]).unwrap();
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let text = format!("T1{}{}", code.kind().letter(), base45::encode(flipped));
                let verified = code::parse(&text).is_ok_and(|code| gate.admits(&code));
                assert!(!verified, "{:?} bit {bit}", code.kind());
            }
        }
    }

    #[test]
    fn no_single_character_of_a_code_can_be_changed() {
        let gate = Gate::default();
        for code in &gate.codes {
            let text = code.to_text();
            for at in 0..text.len() {
                for other in ["0", "A", "Z", ":", " ", "a", "_", "é"] {
                    let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
                    gate.text(&changed);
                }
            }
        }
    }
}
