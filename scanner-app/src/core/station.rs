//! Where a handheld stands and whom it believes: a server's bundle becomes a [`Station`] only through the pinned root.
//!
//! Invariants: the root's fingerprint comes from the enrolment code, never from the server; a device certificate must name
//! this device, its key and its event; a policy, a list of staff or a minimum version is never replaced by an older one.

use gate_core::Policy;
use gate_core::policy::PolicyError;
use gate_core::staff::SealedStaff;
use gate_core::wire::v1::{EventInfo, StationBundle};
use ticket_signer::credential::FormatError;
use ticket_signer::{
    AuthorityError, DeviceCertificate, DeviceId, EnvelopeError, EventId, KeyError, LaneId, PublicKey, TrustStore,
};

/// A confirmed place, checked.
#[derive(Debug, Clone)]
pub struct Station {
    pub device: DeviceId,
    pub server: String,
    pub trust: TrustStore,
    pub event: EventInfo,
    pub lane: LaneId,
    /// Unix milliseconds.
    pub lease_until_ms: i64,
    pub minimum_list_version: u64,
    pub policy: Option<Policy>,
    /// The event's staff, sealed to this device.
    pub staff: Option<SealedStaff>,
}

impl Station {
    pub fn event_id(&self) -> EventId {
        EventId(self.event.id)
    }

    pub fn policy_version(&self) -> u64 {
        self.policy.as_ref().map_or(0, |policy| policy.version)
    }

    pub fn staff_version(&self) -> u64 {
        self.staff.as_ref().map_or(0, SealedStaff::version)
    }

    /// A lane as staff call it.
    pub fn lane_name(&self, lane: LaneId) -> String {
        let named = self.policy.as_ref().and_then(|policy| policy.lane(lane));
        named.map_or_else(|| format!("Lane no. {lane}"), |lane| lane.name.clone())
    }

    /// The entrance that a lane stands at; empty where the policy does not say.
    pub fn entrance(&self, lane: LaneId) -> String {
        let named = self.policy.as_ref().and_then(|policy| policy.lane(lane));
        named.map_or_else(String::new, |lane| lane.entrance.clone())
    }
}

/// Why a server's bundle was not taken. Nothing of it was kept.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    #[error("The server's root key is not the one on the enrolment code. Ask the supervisor for a new code")]
    OtherRoot,
    #[error("The server's root key is not usable ({0}). Ask the organiser's administrator")]
    Root(KeyError),
    #[error(
        "The server speaks for the organiser \"{found}\", and this handheld was enrolled by \"{expected}\". Enrol it again"
    )]
    OtherOrganiser { expected: String, found: String },
    #[error("The server moved this handheld to another event. Enrol it again for that event")]
    OtherEvent,
    #[error("This handheld's certificate cannot be read ({0}). Enrol it again")]
    DeviceFormat(FormatError),
    #[error("This handheld's certificate is not to be believed: {0}. Enrol it again")]
    DeviceAuthority(AuthorityError),
    #[error("This handheld's certificate is made for another device. Enrol it again")]
    OtherDevice,
    #[error("The server's time is not to be believed: {0}. Ask the organiser's administrator for a time certificate")]
    Time(EnvelopeError),
}

/// Whom the device is, and what it pinned or knows already.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    pub device: DeviceId,
    pub key: &'a PublicKey,
    pub root_fingerprint: &'a [u8; 32],
    pub server: &'a str,
    /// The confirmed place, from the second bundle on.
    pub station: Option<&'a Station>,
}

/// What a bundle brings, checked.
#[derive(Debug)]
pub struct Checked {
    pub station: Station,
    pub root: [u8; 32],
    /// Those of the bundle that the root signed for this organiser.
    pub certificates: Vec<Vec<u8>>,
    pub revocations: Vec<Vec<u8>>,
    /// The policy's bytes, where the bundle has one that this device takes.
    pub policy: Option<Vec<u8>>,
    /// The list of staff, where the bundle has one that this device takes.
    pub staff: Option<Vec<u8>>,
    /// Unix milliseconds, by the server's signature.
    pub signed_ms: i64,
    /// What was left aside, and why.
    pub remarks: Vec<String>,
}

/// Checks a bundle against the pinned root. `now_ms` tells what the gate's clock will say once it has taken the signed
/// time in: certificates' validity is compared with it.
pub fn check(
    bundle: &StationBundle,
    known: Known<'_>,
    now_ms: impl FnOnce(i64) -> i64,
) -> Result<Checked, BundleError> {
    let root = PublicKey::from_bytes(&bundle.root).map_err(BundleError::Root)?;
    if root.fingerprint() != *known.root_fingerprint {
        return Err(BundleError::OtherRoot);
    }
    let mut remarks = Vec::new();
    let mut trust = match known.station {
        Some(station) if station.trust.organiser() != bundle.organiser => {
            return Err(BundleError::OtherOrganiser {
                expected: station.trust.organiser().to_owned(),
                found: bundle.organiser.clone(),
            });
        }
        Some(station) => station.trust.clone(),
        None => TrustStore::new(root, bundle.organiser.clone()),
    };
    let mut take = |what: &str, taken: Result<(), ticket_signer::trust::TrustError>| match taken {
        Ok(()) => true,
        Err(error) => {
            remarks.push(format!("A {what} from the server was left aside: {error}"));
            false
        }
    };
    let mut certificates = Vec::new();
    for bytes in &bundle.certificates {
        if take("certificate", trust.add_certificate(bytes).map(|_| ())) {
            certificates.push(bytes.to_vec());
        }
    }
    let mut revocations = Vec::new();
    for bytes in &bundle.revocations {
        if take("key revocation", trust.add_revocation(bytes).map(|_| ())) {
            revocations.push(bytes.to_vec());
        }
    }
    let event = EventId(bundle.event.id);
    if known.station.is_some_and(|station| station.event_id() != event) {
        return Err(BundleError::OtherEvent);
    }
    let certificate = DeviceCertificate::from_bytes(&bundle.device_certificate).map_err(BundleError::DeviceFormat)?;
    trust.device(&certificate).map_err(BundleError::DeviceAuthority)?;
    let fields = certificate.fields();
    if fields.device != known.device || fields.key != *known.key || fields.event != event {
        return Err(BundleError::OtherDevice);
    }
    let signed_ms = bundle.time.open(&trust, event).map_err(BundleError::Time)?;
    let now_s = now_ms(signed_ms).div_euclid(1000);
    let had = known.station.and_then(|station| station.policy.as_ref());
    let (policy, policy_bytes) = match &bundle.policy {
        None => (had.cloned(), None),
        Some(bytes) => match Policy::open(bytes, &trust, event, now_s, had.map_or(0, |policy| policy.version)) {
            Ok(policy) => (Some(policy), Some(bytes.to_vec())),
            Err(error @ PolicyError::Older { .. }) => {
                remarks.push(format!("A policy was left aside: {error}"));
                (had.cloned(), None)
            }
            Err(error) => {
                remarks.push(format!("A policy was not taken: {error}. Ask the supervisor to save it again"));
                (had.cloned(), None)
            }
        },
    };
    let had = known.station.and_then(|station| station.staff.as_ref());
    let place = (event, known.device, had.map_or(0, SealedStaff::version));
    let (staff, staff_bytes) = match &bundle.staff {
        None => (had.cloned(), None),
        Some(bytes) => match SealedStaff::open(bytes, &trust, place, now_s) {
            Ok(staff) => (Some(staff), Some(bytes.to_vec())),
            Err(error) => {
                remarks.push(format!("A list of staff was left aside: {error}"));
                (had.cloned(), None)
            }
        },
    };
    let minimum = known.station.map_or(0, |station| station.minimum_list_version);
    let station = Station {
        device: known.device,
        server: known.server.to_owned(),
        trust,
        event: bundle.event.clone(),
        lane: LaneId(bundle.lane),
        lease_until_ms: i64::from(fields.not_after_s) * 1000,
        minimum_list_version: minimum.max(bundle.minimum_list_version),
        policy,
        staff,
    };
    let root = bundle.root.into_array();
    Ok(Checked {
        station,
        root,
        certificates,
        revocations,
        policy: policy_bytes,
        staff: staff_bytes,
        signed_ms,
        remarks,
    })
}
