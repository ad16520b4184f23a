//! Which part of a seed's evening is played: all of it, or what is left after a violation was made smaller.
//!
//! Everything that chance decides is drawn for its moment and its lane alone, so that leaving one thing out changes nothing
//! else. A scenario is written as words, `seed=17 lanes=2 minutes=3 without=theft guests=40.1 faults=96.0.crash`, and read
//! back by `turnstone-sim --scenario`.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $name:literal),* $(,)?) => {
        /// What can go wrong, or be decided.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind { $($(#[$doc])* $kind),* }

        impl Kind {
            pub const ALL: &[Kind] = &[$(Kind::$kind),*];

            pub fn name(self) -> &'static str {
                match self { $(Kind::$kind => $name),* }
            }
        }
    };
}

kinds! {
    /// A message takes seconds.
    Slow "slow",
    /// A message is lost.
    Lost "lost",
    /// A message comes twice.
    Twice "twice",
    /// The way to the server opens or closes.
    Up "up",
    /// The way back opens or closes.
    Down "down",
    /// Both ways open.
    Mend "mend",
    /// The feed breaks off.
    Feed "feed",
    /// The process ends at a step of its next commit.
    Crash "crash",
    /// The power goes.
    Power "power",
    /// The system clock jumps.
    Jump "jump",
    /// Staff admit more of a group, or override.
    Staff "staff",
    /// A ticket is issued again.
    Reissue "reissue",
    Revoke "revoke",
    /// The server forgets a revocation.
    Forget "forget",
    /// Keys are renewed.
    Keys "keys",
    /// A device is stolen and revoked.
    Theft "theft",
    /// A group's owner is asked to stop, or another one named.
    Owner "owner",
    /// A supervisor decides for a while, or takes it back.
    Decision "decision",
    /// The edge's process ends.
    EdgeCrash "edge-crash",
    /// The edge's store is lost.
    EdgeLoss "edge-loss",
    /// There is an edge.
    Edge "edge",
    /// There are many guests, and some phones are wrong.
    Phones "phones",
}

impl Kind {
    /// Of these each one is listed in a scenario; the others are switched off as a whole.
    fn is_listed(self) -> bool {
        !matches!(self, Kind::Slow | Kind::Lost | Kind::Twice | Kind::Edge | Kind::Phones)
    }
}

/// A moment at a lane: the number of the step, and the lane's place.
pub type Spot = (u32, u8);
/// One thing that goes wrong.
pub type Fault = (u32, u8, Kind);

/// What is played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    pub seed: u64,
    /// No more lanes than this, and no more minutes before everything heals.
    pub lanes: Option<u32>,
    pub minutes: Option<u32>,
    pub without: BTreeSet<Kind>,
    /// Only these guests come.
    pub guests: Option<BTreeSet<Spot>>,
    /// Only this goes wrong, apart from messages.
    pub faults: Option<BTreeSet<Fault>>,
}

/// What a run came upon: who came, and what went wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Played {
    pub lanes: u32,
    pub minutes: u32,
    pub guests: BTreeSet<Spot>,
    pub faults: BTreeSet<Fault>,
}

impl Played {
    /// How much of it there is.
    pub fn size(&self) -> usize {
        self.lanes as usize + self.guests.len() + self.faults.len()
    }
}

impl Scenario {
    pub fn of(seed: u64) -> Self {
        Scenario { seed, lanes: None, minutes: None, without: BTreeSet::new(), guests: None, faults: None }
    }

    pub fn comes(&self, spot: Spot) -> bool {
        self.guests.as_ref().is_none_or(|guests| guests.contains(&spot))
    }

    pub fn happens(&self, (step, lane, kind): Fault) -> bool {
        let listed = self.faults.as_ref().is_none_or(|faults| faults.contains(&(step, lane, kind)));
        !self.without.contains(&kind) && (listed || !kind.is_listed())
    }

    /// Notes what went wrong, where it is listed.
    pub(crate) fn note(played: &mut Played, fault: Fault) {
        if fault.2.is_listed() {
            played.faults.insert(fault);
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "seed={}", self.seed)?;
        if let Some(lanes) = self.lanes {
            write!(to, " lanes={lanes}")?;
        }
        if let Some(minutes) = self.minutes {
            write!(to, " minutes={minutes}")?;
        }
        let words = |words: Vec<String>| words.join(",");
        if !self.without.is_empty() {
            write!(to, " without={}", words(self.without.iter().map(|kind| kind.name().to_owned()).collect()))?;
        }
        if let Some(guests) = &self.guests {
            write!(to, " guests={}", words(guests.iter().map(|(step, lane)| format!("{step}.{lane}")).collect()))?;
        }
        if let Some(faults) = &self.faults {
            let word = |(step, lane, kind): &Fault| format!("{step}.{lane}.{}", kind.name());
            write!(to, " faults={}", words(faults.iter().map(word).collect()))?;
        }
        Ok(())
    }
}

/// A word of a scenario that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable(String);

impl fmt::Display for Unreadable {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "\"{}\" cannot be read; a scenario is written as a failure prints it", self.0)
    }
}

impl std::error::Error for Unreadable {}

impl FromStr for Scenario {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let mut scenario = Scenario::of(0);
        let mut seed = None;
        for word in text.split_whitespace() {
            let wrong = || Unreadable(word.to_owned());
            let (name, value) = word.split_once('=').ok_or_else(wrong)?;
            let parts = || value.split(',').filter(|part| !part.is_empty());
            match name {
                "seed" => seed = Some(value.parse().map_err(|_| wrong())?),
                "lanes" => scenario.lanes = Some(value.parse().map_err(|_| wrong())?),
                "minutes" => scenario.minutes = Some(value.parse().map_err(|_| wrong())?),
                "without" => scenario.without = parts().map(kind).collect::<Option<_>>().ok_or_else(wrong)?,
                "guests" => scenario.guests = Some(parts().map(spot).collect::<Option<_>>().ok_or_else(wrong)?),
                "faults" => scenario.faults = Some(parts().map(fault).collect::<Option<_>>().ok_or_else(wrong)?),
                _ => return Err(wrong()),
            }
        }
        scenario.seed = seed.ok_or_else(|| Unreadable(text.to_owned()))?;
        Ok(scenario)
    }
}

fn kind(name: &str) -> Option<Kind> {
    Kind::ALL.iter().copied().find(|kind| kind.name() == name)
}

fn spot(word: &str) -> Option<Spot> {
    let (step, lane) = word.split_once('.')?;
    Some((step.parse().ok()?, lane.parse().ok()?))
}

fn fault(word: &str) -> Option<Fault> {
    let (at, name) = word.rsplit_once('.')?;
    let (step, lane) = spot(at)?;
    Some((step, lane, kind(name)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_reads_back_as_it_is_written() {
        let small = Scenario {
            seed: 17,
            lanes: Some(2),
            minutes: Some(3),
            without: BTreeSet::from([Kind::Theft, Kind::Slow]),
            guests: Some(BTreeSet::from([(40, 1), (7, 0)])),
            faults: Some(BTreeSet::from([(96, 0, Kind::Crash)])),
        };
        let text = "seed=17 lanes=2 minutes=3 without=slow,theft guests=7.0,40.1 faults=96.0.crash";
        assert_eq!(small.to_string(), text);
        assert_eq!(text.parse(), Ok(small));
        assert_eq!(Scenario::of(5).to_string().parse(), Ok(Scenario::of(5)));
        let nobody = Scenario { guests: Some(BTreeSet::new()), ..Scenario::of(5) };
        assert_eq!(nobody.to_string().parse(), Ok(nobody));
        for wrong in ["", "lanes=2", "seed=x", "seed=1 colour=red", "seed=1 faults=1.2.rain", "seed=1 guests=7"] {
            assert!(wrong.parse::<Scenario>().is_err(), "{wrong}");
        }
    }
}
