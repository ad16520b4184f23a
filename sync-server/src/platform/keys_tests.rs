//! Importing by table: what fits is taken in, everything else says why.

use ticket_signer::certificate::CertificateFields;
use ticket_signer::{EventRange, KeyId};

use super::*;

struct World {
    directory: tempfile::TempDir,
    root: SecretKey,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = SecretKey::from_bytes(&[1; 32]);
        std::fs::write(directory.path().join("root-given.pub"), keyfile::write_public(&root.public())).unwrap();
        init(&directory.path().join("keys"), &Role::ALL, &Random::seeded(1)).unwrap();
        Self { directory, root }
    }

    fn keys(&self) -> PathBuf {
        self.directory.path().join("keys")
    }

    fn root_file(&self) -> PathBuf {
        self.directory.path().join("root-given.pub")
    }

    fn certificate(&self, role: Role, organiser: &str, root: &SecretKey) -> PathBuf {
        let key = KeyRing::load(&self.keys()).unwrap().key(role).unwrap().secret.public();
        self.certificate_of(key, role, organiser, root)
    }

    fn certificate_of(&self, key: PublicKey, role: Role, organiser: &str, root: &SecretKey) -> PathBuf {
        let range = |first, last| EventRange { first: EventId(first), last: EventId(last) };
        let fields = CertificateFields {
            role,
            key,
            organiser: organiser.into(),
            events: vec![range(1, 9), range(100, 100)],
            not_before_s: 1_000,
            not_after_s: 2_000,
        };
        let path = self.directory.path().join(format!("{}-{organiser}.cert", role.name()));
        std::fs::write(&path, Certificate::issue(fields, root).unwrap().to_bytes()).unwrap();
        path
    }
}

#[test]
fn a_certified_key_may_sign_what_its_certificate_names() {
    let world = World::new();
    assert!(KeyRing::load(&world.keys()).unwrap().event_ranges().is_empty());
    for role in Role::ALL {
        let root = (role == Role::Issue).then(|| world.root_file());
        let certificate = world.certificate(role, "Hall", &world.root);
        assert_eq!(import_certificate(&world.keys(), &certificate, root.as_deref()).unwrap(), role);
    }
    let ring = KeyRing::load(&world.keys()).unwrap();
    assert_eq!(ring.event_ranges(), [1..=9, 100..=100]);
    assert_eq!(ring.organiser(), Some("Hall"));
    assert_eq!(ring.trust_store().unwrap().certificates().count(), 6);
    for (event, now_s, may) in
        [(1, 1_000, true), (100, 1_999, true), (10, 1_500, false), (1, 999, false), (1, 2_000, false)]
    {
        assert_eq!(ring.may_sign(Role::Issue, EventId(event), now_s), may, "event {event} at {now_s}");
    }
}

#[test]
fn what_does_not_fit_is_refused_with_its_reason() {
    let world = World::new();
    let good = world.certificate(Role::Issue, "Hall", &world.root);
    assert!(matches!(import_certificate(&world.keys(), &good, None), Err(KeysError::NoRoot)));
    import_certificate(&world.keys(), &good, Some(&world.root_file())).unwrap();
    let other_root = SecretKey::from_bytes(&[2; 32]);
    let forged = world.certificate(Role::List, "Forged", &other_root);
    assert!(matches!(import_certificate(&world.keys(), &forged, None), Err(KeysError::NotFromRoot { .. })));
    let stranger = SecretKey::from_bytes(&[3; 32]).public();
    let stranger = world.certificate_of(stranger, Role::List, "Stranger", &world.root);
    assert!(matches!(
        import_certificate(&world.keys(), &stranger, None),
        Err(KeysError::OtherKey { role: "list", .. })
    ));
    let organiser = world.certificate(Role::List, "Theatre", &world.root);
    assert!(matches!(import_certificate(&world.keys(), &organiser, None), Err(KeysError::OtherOrganiser { .. })));
    let text = world.directory.path().join("text.cert");
    std::fs::write(&text, "hello").unwrap();
    assert!(matches!(import_certificate(&world.keys(), &text, None), Err(KeysError::NotACertificate { .. })));
    let second = world.directory.path().join("second.pub");
    std::fs::write(&second, keyfile::write_public(&other_root.public())).unwrap();
    assert!(matches!(import_certificate(&world.keys(), &good, Some(&second)), Err(KeysError::OtherRoot { .. })));
    assert!(KeyRing::load(&world.keys()).unwrap().certificates().count() == 1, "nothing refused was taken in");
}

#[test]
fn keys_are_made_once_and_kept_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    let path = world.keys().join("issue.key");
    let before = std::fs::read(&path).unwrap();
    assert!(init(&world.keys(), &Role::ALL, &Random::seeded(2)).unwrap().is_empty());
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = KeyRing::load(&world.keys()).unwrap_err();
    assert!(matches!(error, KeysError::Exposed { .. }) && error.to_string().contains("chmod 600"));
}

#[test]
fn a_revoked_key_signs_no_more() {
    let world = World::new();
    import_certificate(&world.keys(), &world.certificate(Role::Issue, "Hall", &world.root), Some(&world.root_file()))
        .unwrap();
    let ring = KeyRing::load(&world.keys()).unwrap();
    let id = ring.signing_key(Role::Issue).unwrap().public().key_id();
    let file = world.directory.path().join("r");
    std::fs::write(&file, KeyRevocation::issue(id, 1_500, &SecretKey::from_bytes(&[2; 32])).to_bytes()).unwrap();
    assert!(matches!(import_revocation(&world.keys(), &file, None), Err(KeysError::NotFromRoot { .. })));
    for revoked in [KeyId([7; 8]), id] {
        std::fs::write(&file, KeyRevocation::issue(revoked, 1_500, &world.root).to_bytes()).unwrap();
        import_revocation(&world.keys(), &file, None).unwrap();
    }
    let ring = KeyRing::load(&world.keys()).unwrap();
    assert!(ring.signing_key(Role::Issue).is_none() && ring.event_ranges().is_empty());
    assert_eq!(ring.revocations().len(), 2);
}
