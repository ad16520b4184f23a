//! What an export gives beside the rows, checked: trust, devices, policies, classes, lists' entries, receipts.

use std::collections::{BTreeMap, BTreeSet};

use crate::certificate::DeviceCertificate;
use crate::code::Listed;
use crate::export::{Class, Export, Origin, Piece};
use crate::fault::Fault;
use crate::finding::{Finding, Findings, Kind};
use crate::ids::{ClassId, DeviceId, EventId, Serial, TicketId};
use crate::keys::PublicKey;
use crate::policy::Policy;
use crate::receipt::Receipt;
use crate::row::Row;
use crate::trust::Trust;

/// Everything that rows are held against.
pub(crate) struct Material {
    pub(crate) trust: Trust,
    /// By believed certificates only.
    pub(crate) devices: BTreeMap<(DeviceId, EventId), Vec<DeviceKey>>,
    pub(crate) policies: BTreeMap<(EventId, u64), Policy>,
    classes: BTreeMap<(EventId, ClassId), Vec<Class>>,
    pub(crate) listed: BTreeMap<(EventId, TicketId, Serial), Listed>,
    pub(crate) receipts: Vec<(Receipt, Origin)>,
}

/// A key that a device has for an event, and when it may use it.
pub(crate) struct DeviceKey {
    pub(crate) key: PublicKey,
    /// From and until, unix seconds.
    leases: Vec<(u32, u32)>,
}

/// How a row stands to its device's leases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lease {
    Within,
    NotBegun { begins_s: u32 },
    Over { ended_s: u32 },
}

impl DeviceKey {
    /// The lease's end is the device's own clock's to know; its beginning may lie within the clock's doubt.
    pub(crate) fn lease(&self, row: &Row) -> Lease {
        let (at_s, latest_s) = (row.at_s(), row.span_ms().1.div_euclid(1000));
        let begun = |from: u32| i64::from(from) <= latest_s;
        if self.leases.iter().any(|(from, until)| begun(*from) && at_s < i64::from(*until)) {
            return Lease::Within;
        }
        let ended = self.leases.iter().filter(|(from, _)| begun(*from)).map(|(_, until)| *until).max();
        match ended {
            Some(ended_s) => Lease::Over { ended_s },
            None => Lease::NotBegun { begins_s: self.leases.iter().map(|(from, _)| *from).min().unwrap_or(0) },
        }
    }
}

impl Material {
    pub(crate) fn gather(export: &Export, organiser: &str, root: &PublicKey, findings: &mut Findings) -> Self {
        let mut trust = Trust::new(root.clone(), organiser);
        each(&export.certificates, export, Kind::CertificateRefused, "This certificate", findings, |piece| {
            trust.add_certificate(&piece.bytes).map(drop)
        });
        each(&export.revocations, export, Kind::RevocationRefused, "This key revocation", findings, |piece| {
            trust.add_revocation(&piece.bytes).map(drop)
        });
        let mut material = Material {
            trust,
            devices: BTreeMap::new(),
            policies: BTreeMap::new(),
            classes: BTreeMap::new(),
            listed: BTreeMap::new(),
            receipts: Vec::new(),
        };
        material.take_devices(export, findings);
        material.take_policies(export, findings);
        material.take_listed(export, findings);
        for class in &export.classes {
            let states = material.classes.entry((class.event, class.class)).or_default();
            if !states.contains(class) && states.len() < 1_000 {
                states.push(class.clone());
            }
        }
        let Material { trust, receipts, .. } = &mut material;
        each(&export.receipts, export, Kind::ReceiptRefused, "This receipt", findings, |piece| {
            Receipt::open(&piece.bytes, trust).map(|receipt| receipts.push((receipt, piece.origin)))
        });
        material
    }

    fn take_devices(&mut self, export: &Export, findings: &mut Findings) {
        let Material { trust, devices, .. } = self;
        let kind = Kind::DeviceCertificateRefused;
        each(&export.device_certificates, export, kind, "This device certificate", findings, |piece| {
            let certificate = DeviceCertificate::read(&piece.bytes)?;
            trust.device(&certificate)?;
            let keys = devices.entry((certificate.device, certificate.event)).or_default();
            let lease = (certificate.not_before_s, certificate.not_after_s);
            match keys.iter_mut().find(|known| known.key == certificate.key) {
                Some(known) => known.leases.push(lease),
                None => keys.push(DeviceKey { key: certificate.key, leases: vec![lease] }),
            }
            Ok(())
        });
    }

    fn take_policies(&mut self, export: &Export, findings: &mut Findings) {
        let mut twice = Vec::new();
        let Material { trust, policies, .. } = self;
        each(&export.policies, export, Kind::PolicyRefused, "This policy", findings, |piece| {
            let policy = Policy::open(&piece.bytes, trust)?;
            let place = (policy.event, policy.version);
            match policies.get(&place) {
                Some(known) if *known != policy => twice.push(place),
                Some(_) => {}
                None => drop(policies.insert(place, policy)),
            }
            Ok(())
        });
        for (event, version) in twice {
            let says = format!(
                "Event {event} has two different policies with version {version}, both signed: lanes with one version \
                 did not follow one rule."
            );
            findings.add(Finding::new(Kind::PolicyTwice, says));
        }
    }

    fn take_listed(&mut self, export: &Export, findings: &mut Findings) {
        let mut told = BTreeSet::new();
        for line in &export.listed {
            let Listed { ticket, serial, .. } = line.listed;
            let place = (line.event, ticket, serial);
            let known = self.listed.entry(place).or_insert_with(|| line.listed.clone());
            if *known != line.listed && told.insert(place) {
                let says = format!(
                    "Ticket {ticket}, serial {serial}, is listed with two different classes or phones: one issue of a \
                     ticket has one."
                );
                findings.add(Finding::new(Kind::ListedTwice, says).about(ticket).from(line.origin));
            }
        }
    }

    /// The states that a class had; none where the export does not say.
    pub(crate) fn class(&self, event: EventId, class: ClassId) -> &[Class] {
        self.classes.get(&(event, class)).map_or(&[], Vec::as_slice)
    }

    /// How many guests a ticket of this class lets in, in the most generous state that the class had.
    pub(crate) fn admissions(&self, event: EventId, class: ClassId) -> Option<u8> {
        self.class(event, class).iter().map(|state| state.admissions).max()
    }

    /// Classes that had more than one state.
    pub(crate) fn changed_classes(&self) -> usize {
        self.classes.values().filter(|states| states.len() > 1).count()
    }

    pub(crate) fn knows_classes(&self) -> bool {
        !self.classes.is_empty()
    }
}

/// Takes in each piece once, whatever number of files has it.
fn each(
    pieces: &[Piece],
    export: &Export,
    kind: Kind,
    what: &str,
    findings: &mut Findings,
    mut take: impl FnMut(&Piece) -> Result<(), Fault>,
) {
    let mut seen: BTreeSet<&[u8]> = BTreeSet::new();
    for piece in pieces.iter().filter(|piece| seen.insert(&piece.bytes)) {
        if let Err(fault) = take(piece) {
            let says = format!("{what} ({}) counts for nothing: {fault}.", place(export, piece.origin));
            findings.add(Finding::new(kind, says).from(piece.origin));
        }
    }
}

/// File and line, for people.
pub(crate) fn place(export: &Export, origin: Origin) -> String {
    let file = export.files.get(origin.file).map_or("?", String::as_str);
    format!("{file}, line {}", origin.line)
}
