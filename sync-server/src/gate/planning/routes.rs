//! Which entrance a guest walks to.
//!
//! Shares that the organiser gave hold all evening. Without them guests follow the lanes: an entrance draws in
//! proportion to its lanes that take the class and are open at that moment. While none is open anywhere, guests walk to
//! where the next ones will open, and after the last has closed to where it was.

use super::arrivals::Guest;
use super::model::{Lane, Plan, length, whole};

/// The range of a guest's `choice`.
const CHOICES: f64 = 4_294_967_296.0;

/// For a while: how far up the choices each entrance reaches, by index.
#[derive(Debug, Clone)]
struct Spell {
    from_ms: i64,
    reach: Vec<u64>,
}

/// By class, then in the order of time. A class that no lane takes has no spell.
#[derive(Debug, Clone)]
pub(super) struct Routes(Vec<Vec<Spell>>);

impl Routes {
    pub(super) fn new(plan: &Plan, lanes: &[Lane]) -> Self {
        let spells = plan.classes.iter().enumerate().map(|(class, expected)| match &expected.shares {
            Some(shares) => vec![Spell { from_ms: i64::MIN, reach: reach(shares) }],
            None => following(plan.entrances.len(), lanes, class),
        });
        Self(spells.collect())
    }

    /// The entrance's index; none where no lane takes the class.
    pub(super) fn entrance(&self, guest: &Guest) -> Option<usize> {
        let spells = self.0.get(usize::from(guest.class))?;
        let at = spells.partition_point(|spell| spell.from_ms <= i64::from(guest.at_ms)).saturating_sub(1);
        let choice = u64::from(guest.choice);
        spells.get(at)?.reach.iter().position(|&reach| choice < reach)
    }
}

/// The spells of a class whose guests follow the lanes.
fn following(entrances: usize, lanes: &[Lane], class: usize) -> Vec<Spell> {
    let taking = || lanes.iter().filter(|lane| lane.takes.has(class));
    let mut times: Vec<i64> = taking().flat_map(|lane| [lane.open_ms, lane.close_ms]).collect();
    times.sort_unstable();
    times.dedup();
    let mut spells: Vec<Spell> = Vec::new();
    // The beginning of a time without open lanes, which belongs to the spell after it.
    let mut shut_from_ms = Some(i64::MIN);
    for at_ms in times {
        let mut open = vec![0.0; entrances];
        for lane in taking().filter(|lane| lane.open_ms <= at_ms && at_ms < lane.close_ms) {
            open[lane.entrance] += 1.0;
        }
        if open.iter().all(|&lanes| lanes == 0.0) {
            shut_from_ms = shut_from_ms.or(Some(at_ms));
        } else {
            spells.push(Spell { from_ms: shut_from_ms.take().unwrap_or(at_ms), reach: reach(&open) });
        }
    }
    spells
}

/// The weights piled up and scaled to the range of choices.
fn reach(weights: &[f64]) -> Vec<u64> {
    let total: f64 = weights.iter().sum();
    let mut piled = 0.0;
    let reach = weights.iter().map(|weight| {
        piled += weight;
        u64::try_from(whole(piled / total * CHOICES)).unwrap_or(0)
    });
    reach.collect()
}

/// How the evening's guests divide over the entrances, each in the order in which they come. Guests of a class that no
/// lane takes stay out of it: a checked plan has none.
pub(super) fn divide(routes: &Routes, entrances: usize, evening: &[Guest]) -> Vec<Vec<Guest>> {
    let about = whole(length(evening.len()) / length(entrances.max(1)) * 1.2);
    let mut divided = vec![Vec::with_capacity(usize::try_from(about).unwrap_or(0)); entrances];
    for guest in evening {
        if let Some(entrance) = routes.entrance(guest) {
            divided[entrance].push(*guest);
        }
    }
    divided
}
