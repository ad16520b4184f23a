//! For all values: what is written is read back, one thing has one spelling, and arbitrary input does no harm.

#![allow(clippy::unwrap_used, reason = "a panic in a test is its report")]

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use ticket_signer::certificate::{CertificateFields, DeviceCertificateFields};
use ticket_signer::code::{self, ShortCode, decode_base45};
use ticket_signer::list::{ChunkRef, ListError};
use ticket_signer::presentation::Presentation;
use ticket_signer::{
    Certificate, Challenge, ClassEntry, ClassId, Credential, CredentialFields, DeviceCertificate, DeviceId,
    EnvelopeError, EventId, EventRange, HolderAlgorithm, HolderSecret, KeyRevocation, ListChunk, ListManifest,
    ListedTicket, Purpose, Role, SecretKey, Serial, TicketId, TicketStatus, TimeStep, TrustStore, UntrustedCode,
    VerifyContext, envelope, verify,
};

/// The same cases on every run; `PROPTEST_CASES` and another seed are for those who search.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(0x7453), failure_persistence: None, ..ProptestConfig::default() }
}

fn phone() -> impl Strategy<Value = HolderSecret> {
    let algorithm = prop_oneof![Just(HolderAlgorithm::Ed25519), Just(HolderAlgorithm::P256)];
    (algorithm, any::<[u8; 32]>())
        .prop_filter_map("a key of P-256", |(algorithm, seed)| HolderSecret::from_bytes(algorithm, &seed).ok())
}

fn serial() -> impl Strategy<Value = Serial> {
    (1u8..=254).prop_map(|serial| Serial::new(serial).unwrap())
}

fn fields() -> impl Strategy<Value = CredentialFields> {
    let numbers = (any::<u32>(), any::<u64>(), serial(), 0u8..2, any::<u16>(), 0..u32::MAX, any::<u32>());
    numbers.prop_map(|(event, ticket, serial, flags, class, valid_from_s, length)| CredentialFields {
        event: EventId(event),
        ticket: TicketId(ticket),
        serial,
        flags,
        class: ClassId(class),
        valid_from_s,
        valid_until_s: valid_from_s.saturating_add(length).max(valid_from_s + 1),
        holder: None,
    })
}

fn challenge() -> impl Strategy<Value = Challenge> {
    (0u16..=9999).prop_map(|challenge| Challenge::new(challenge).unwrap())
}

fn events() -> impl Strategy<Value = Vec<EventRange>> {
    // Sorted and distinct ends, with the ranges that touch taken out.
    vec(any::<u32>(), 2..33).prop_filter_map("at least one range", |mut ends| {
        ends.sort_unstable();
        let mut ranges: Vec<EventRange> = Vec::new();
        for pair in ends.chunks_exact(2) {
            let apart = ranges.last().is_none_or(|last| u64::from(last.last.0) + 1 < u64::from(pair[0]));
            if apart {
                ranges.push(EventRange { first: EventId(pair[0]), last: EventId(pair[1]) });
            }
        }
        (!ranges.is_empty()).then_some(ranges)
    })
}

fn certificate() -> impl Strategy<Value = CertificateFields> {
    let role = proptest::sample::select(Role::ALL.to_vec());
    let name = "[\\PC]{1,16}"
        .prop_filter("at most 64 bytes", |name| (1..=64).contains(&name.len()) && !name.chars().any(char::is_control));
    (role, any::<[u8; 32]>(), name, events(), 0..u32::MAX, any::<u32>()).prop_map(
        |(role, seed, organiser, events, not_before_s, length)| CertificateFields {
            role,
            key: SecretKey::from_bytes(&seed).public(),
            organiser,
            events,
            not_before_s,
            not_after_s: not_before_s.saturating_add(length).max(not_before_s + 1),
        },
    )
}

fn tickets(most: usize) -> impl Strategy<Value = Vec<ListedTicket>> {
    let rest = (serial(), any::<u16>(), any::<bool>(), proptest::option::of(phone()));
    btree_map(any::<u64>(), rest, 0..most).prop_map(|tickets| {
        let listed = |(ticket, (serial, class, active, phone)): (u64, (Serial, u16, bool, Option<HolderSecret>))| {
            let status = if active { TicketStatus::Active } else { TicketStatus::Revoked };
            let holder = phone.map(|phone| phone.public());
            ListedTicket { ticket: TicketId(ticket), serial, class: ClassId(class), status, holder }
        };
        tickets.into_iter().map(listed).collect()
    })
}

fn manifest() -> impl Strategy<Value = ListManifest> {
    let class = (any::<u16>(), ".{0,20}", any::<u32>(), any::<u32>(), any::<u8>(), any::<u8>()).prop_map(
        |(class, name, valid_from_s, valid_until_s, admissions, flags)| ClassEntry {
            class: ClassId(class),
            name,
            valid_from_s,
            valid_until_s,
            admissions,
            flags,
        },
    );
    let chunk = (vec(any::<u8>(), 0..40), 0usize..1000).prop_map(|(bytes, unpacked)| ChunkRef::of(&bytes, unpacked));
    let numbers = (any::<u32>(), 1..u64::MAX, any::<u64>(), any::<u32>(), any::<u32>(), any::<u32>());
    (numbers, vec(class, 0..5), vec(chunk, 0..5)).prop_map(
        |((event, version, base, issued_at_s, expires_at_s, tickets), classes, chunks)| ListManifest {
            event: EventId(event),
            version,
            base: base % version,
            issued_at_s,
            expires_at_s,
            tickets,
            classes,
            chunks,
        },
    )
}

fn issuer() -> SecretKey {
    SecretKey::from_bytes(&[2; 32])
}

/// Believes `issuer` in `role` for `event`, at all times.
fn trust(role: Role, event: EventId) -> TrustStore {
    let root = SecretKey::from_bytes(&[1; 32]);
    let fields = CertificateFields {
        role,
        key: issuer().public(),
        organiser: "Hall".into(),
        events: vec![EventRange { first: event, last: event }],
        not_before_s: 0,
        not_after_s: u32::MAX,
    };
    let mut trust = TrustStore::new(root.public(), "Hall");
    trust.add_certificate(&Certificate::issue(fields, &root).unwrap().to_bytes()).unwrap();
    trust
}

proptest! {
    #![proptest_config(config(64))]

    #[test]
    fn codes_are_read_as_they_were_written_and_verify(
        fields in fields(), phone in phone(), now_s in 0i64..i64::from(u32::MAX), challenge in challenge(), early in -2i64..=2,
    ) {
        let step = TimeStep::at((now_s / 15 + early).max(0) * 15);
        let (event, ticket, serial, class) = (fields.event, fields.ticket, fields.serial, fields.class);
        let bound = CredentialFields { holder: Some(phone.public()), ..fields.clone() };
        let presentation = Presentation::sign(event, ticket, serial, step, challenge, &phone);
        let credential = |fields| Box::new(Credential::issue(fields, &issuer()).unwrap());
        let codes = [
            UntrustedCode::Short(ShortCode { ticket, serial, presentation }),
            UntrustedCode::Full { credential: credential(bound), presentation },
            UntrustedCode::Printed { credential: credential(fields) },
        ];
        let trust = trust(Role::Issue, event);
        let entry = ListedTicket { ticket, serial, class, status: TicketStatus::Active, holder: Some(phone.public()) };
        let context =
            VerifyContext { event, trust: &trust, entry: Some(&entry), now_s: now_s.min(i64::from(u32::MAX) - 1), freshness_steps: 2 };
        for code in codes {
            let text = code.to_text();
            prop_assert!(text.len() <= code::MAX_TEXT_LENGTH);
            prop_assert_eq!(code::parse(&text), Ok(code.clone()));
            let verified = verify(&code, &context).unwrap();
            prop_assert_eq!((verified.ticket(), verified.serial(), verified.class()), (ticket, serial, class));
        }
    }

    /// However many bits are flipped, and at whatever moment it is shown: a changed code is no good code.
    #[test]
    fn a_changed_code_never_verifies(
        fields in fields(), phone in phone(), kind in 0usize..3, bits in vec(0usize..201 * 8, 1..4),
    ) {
        let now_s = 1_790_000_000;
        let step = TimeStep::at(now_s);
        let (event, ticket, serial, class) = (fields.event, fields.ticket, fields.serial, fields.class);
        let presentation = Presentation::sign(event, ticket, serial, step, Challenge::NONE, &phone);
        let holder = (kind != 2).then(|| phone.public());
        let credential = Box::new(Credential::issue(CredentialFields { holder, ..fields }, &issuer()).unwrap());
        let code = match kind {
            0 => UntrustedCode::Short(ShortCode { ticket, serial, presentation }),
            1 => UntrustedCode::Full { credential, presentation },
            _ => UntrustedCode::Printed { credential },
        };
        let text = code.to_text();
        let original = base45::decode(&text[3..]).unwrap();
        let mut bytes = original.clone();
        for bit in bits {
            let bit = bit % (bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        prop_assume!(bytes != original);
        let Ok(changed) = code::parse(&format!("{}{}", &text[..3], base45::encode(bytes))) else { return Ok(()) };
        let trust = trust(Role::Issue, event);
        // The list's entry is found by the changed code's own id: a gate has other tickets too.
        let entry = ListedTicket {
            ticket: changed.ticket(), serial: changed.serial(), class, status: TicketStatus::Active, holder: Some(phone.public()),
        };
        let context = VerifyContext { event, trust: &trust, entry: Some(&entry), now_s, freshness_steps: u32::MAX };
        prop_assert!(verify(&changed, &context).is_err());
    }

    #[test]
    fn certificates_are_read_as_they_were_written(fields in certificate(), root in any::<[u8; 32]>(), bit in any::<usize>()) {
        let root = SecretKey::from_bytes(&root);
        let certificate = Certificate::issue(fields.clone(), &root).unwrap();
        let bytes = certificate.to_bytes();
        prop_assert!(bytes.len() <= Certificate::MAX_LENGTH);
        prop_assert_eq!(Certificate::from_bytes(&bytes), Ok(certificate));
        let mut trust = TrustStore::new(root.public(), fields.organiser.clone());
        trust.add_certificate(&bytes).unwrap();
        let key = fields.key.key_id();
        for range in &fields.events {
            for event in [range.first, range.last] {
                let at = |now_s| trust.authority(key, fields.role, event, now_s).is_ok();
                prop_assert!(at(fields.not_before_s.into()) && at(i64::from(fields.not_after_s) - 1));
                prop_assert!(!at(i64::from(fields.not_before_s) - 1) && !at(fields.not_after_s.into()));
            }
        }
        let mut changed = bytes;
        let bit = bit % (changed.len() * 8);
        changed[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(trust.add_certificate(&changed).is_err());
    }

    #[test]
    fn device_certificates_and_revocations_are_read_as_they_were_written(
        device in any::<u64>(), seed in any::<[u8; 32]>(), event in any::<u32>(), from in 0..u32::MAX, at in any::<u32>(),
    ) {
        let key = SecretKey::from_bytes(&seed);
        let fields = DeviceCertificateFields {
            device: DeviceId(device), key: key.public(), event: EventId(event), not_before_s: from, not_after_s: from + 1,
        };
        let certificate = DeviceCertificate::issue(fields, &issuer()).unwrap();
        prop_assert_eq!(DeviceCertificate::from_bytes(&certificate.to_bytes()), Ok(certificate.clone()));
        prop_assert!(trust(Role::Device, EventId(event)).device(&certificate).is_ok());
        prop_assert!(trust(Role::Issue, EventId(event)).device(&certificate).is_err());
        let revocation = KeyRevocation::issue(key.public().key_id(), at, &issuer());
        prop_assert_eq!(KeyRevocation::from_bytes(&revocation.to_bytes()), Ok(revocation));
    }

    #[test]
    fn envelopes_open_for_their_purpose_only(payload in vec(any::<u8>(), 0..200), bit in any::<usize>()) {
        let purposes = [Purpose::List, Purpose::Policy, Purpose::Time, Purpose::Receipt];
        let event = EventId(7);
        for purpose in purposes {
            let bytes = envelope::seal(purpose, &payload, &issuer());
            for other in purposes {
                let opened = envelope::open(other, &bytes, &trust(other.role(), event), event, 5);
                if other == purpose {
                    prop_assert_eq!(opened, Ok(&payload[..]));
                } else {
                    prop_assert_eq!(opened, Err(EnvelopeError::Format { expected: other }));
                    // Nor does naming the other purpose help: the signature is for one domain.
                    let mut renamed = bytes.clone();
                    renamed[1] = other.role().to_byte();
                    let opened = envelope::open(other, &renamed, &trust(other.role(), event), event, 5);
                    prop_assert_eq!(opened, Err(EnvelopeError::Signature));
                }
                let wrong_role = envelope::open(purpose, &bytes, &trust(Role::Issue, event), event, 5);
                prop_assert!(matches!(wrong_role, Err(EnvelopeError::Authority(_))));
            }
            let mut changed = bytes;
            let bit = bit % (changed.len() * 8);
            changed[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(envelope::open(purpose, &changed, &trust(purpose.role(), event), event, 5).is_err());
        }
    }

    #[test]
    fn manifests_are_read_as_they_were_written(manifest in manifest(), at in any::<usize>()) {
        let bytes = manifest.to_bytes();
        prop_assert_eq!(ListManifest::from_bytes(&bytes), Ok(manifest));
        prop_assert!(ListManifest::from_bytes(&bytes[..at % bytes.len()]).is_err());
        prop_assert!(ListManifest::from_bytes(&[&bytes[..], &[0]].concat()).is_err());
    }

    #[test]
    fn chunks_are_read_as_they_were_written(tickets in tickets(40), at in any::<usize>()) {
        let chunk = ListChunk { tickets };
        let bytes = chunk.to_bytes();
        prop_assert_eq!(ListChunk::from_bytes(&bytes), Ok(chunk.clone()));
        prop_assert!(ListChunk::from_bytes(&bytes[..at % bytes.len()]).is_err());
        if let [first, second, ..] = &chunk.tickets[..] {
            let tickets = vec![second.clone(), first.clone()];
            let swapped = ListChunk::from_bytes(&ListChunk { tickets }.to_bytes());
            prop_assert!(matches!(swapped, Err(ListError::Encoding(_))));
        }
        let named = ChunkRef::of(&bytes, bytes.len());
        prop_assert_eq!(named.check(&bytes), Ok(()));
        prop_assert_eq!(named.check(&bytes[1..]), Err(ListError::Hash));
    }
}

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        prop_assert!(code::parse(&text).is_err(), "chance does not make a code");
    }

    #[test]
    fn any_text_after_a_prefix_is_read_or_refused(text in "T1[SFP]\\PC{0,320}") {
        if let Ok(code) = code::parse(&text) {
            prop_assert_eq!(code.to_text(), text);
        }
    }

    #[test]
    fn base45_has_one_spelling(text in "[0-9A-Z $%*+./:-]{0,30}", bytes in vec(any::<u8>(), 0..40)) {
        if let Ok(read) = decode_base45(&text) {
            prop_assert_eq!(base45::encode(read), text);
        }
        prop_assert_eq!(decode_base45(&base45::encode(&bytes)), Ok(bytes));
    }

    #[test]
    fn any_bytes_of_a_codes_length_are_read_or_refused(kind in 0usize..3, mut bytes in vec(any::<u8>(), 201)) {
        let (letter, length) = [('S', 79), ('F', 201), ('P', 131)][kind];
        bytes.truncate(length);
        let text = format!("T1{letter}{}", base45::encode(bytes));
        if let Ok(code) = code::parse(&text) {
            prop_assert_eq!(code.to_text(), text);
        }
    }

    #[test]
    fn any_bytes_as_a_list_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        let _ = ListChunk::from_bytes(&bytes);
        let _ = ListManifest::from_bytes(&bytes);
    }
}
