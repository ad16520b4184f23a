//! Faults that `make sim-mutants` plants, to prove that the simulator would find them. Without the feature `mutants`, which
//! no build but the simulator's has, [`planted`] is a constant `false` and nothing of this is compiled in.

macro_rules! mutants {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// One fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Mutant { $($(#[$doc])* $name),* }

        impl Mutant {
            pub const ALL: &[Mutant] = &[$(Mutant::$name),*];
        }
    };
}

mutants! {
    /// A ticket that is used up is admitted again.
    UsedIgnored,
    /// A handheld goes on without its lease.
    LeaseIgnored,
    /// A revocation that is on the disk is not looked at.
    RevocationIgnored,
    /// The raised floor is not looked at.
    FloorIgnored,
    /// A floor that a scan raised is not kept.
    FloorNotDurable,
    /// An older issue than the list's is taken.
    RetiredByListIgnored,
    /// A group counts as one guest.
    GroupCountsOnce,
    /// Every exit gives back, also where nobody was inside.
    ExitAlwaysGives,
    /// An exit is taken where no entry is known.
    ExitFromNowhere,
    /// A lane that hears nobody admits what belongs to others.
    BoundedAnywhere,
    /// A lane believes for ever that it hears the others.
    HearsForEver,
    /// A strict ticket is admitted without a grant.
    StrictWithoutGrant,
    /// A grant is taken for any row.
    GrantForAnyRow,
    /// The owner forgets what it granted.
    GrantForgotten,
    /// A new owner is named before the old one has stopped.
    MovedWithoutWord,
    /// A lane owns on after its time.
    OwnerPastItsTime,
    /// A lane owns before it has heard what was admitted before.
    OwnerBeforeItHeard,
    /// A new owner decides although rows of the old one are missing.
    UnsettledIgnored,
    /// The verdict is shown although the commit failed.
    GreenBeforeCommit,
    /// What a commit wrote is gone after a crash.
    CommitNotSynced,
    /// Receipts cover rows beyond a gap.
    ReceiptOverGap,
    /// A row that is known is stored again.
    DuplicateStored,
    /// A row whose authority is unknown is passed over at once.
    UnheardPassedOver,
    /// The system clock is believed.
    SystemClockBelieved,
    /// The round trip of a signed time is taken for nothing.
    RoundTripIgnored,
    /// A conflict is found one guest too late.
    ConflictOneLate,
    /// A revocation that comes in a delta is lost.
    RevocationLostOnDelta,
    /// What a supervisor decided for a while holds for ever.
    TemporaryNeverEnds,
    /// A lane that is closed lets guests in.
    ClosedLaneIgnored,
    /// A lane lets classes in that were moved to another.
    MovedClassIgnored,
    /// A few phones are a crowd.
    QuorumIgnored,
    /// The crowd moves the clock as far as it likes.
    ClampIgnored,
    /// An edge gives receipts of its own.
    EdgeReceiptsItself,
    /// An edge that was started again forwards nothing of what it had.
    NothingForwardedAfterRestart,
    /// A server grants what another one owns.
    OtherNodeGrants,
    /// An edge says to its lanes, and the cloud to its own, that all are heard, while they are apart.
    EdgeSaysAllAreHeard,
    /// An edge that has lost its store goes on as the node that it was.
    LostStoreKeepsItsName,
}

#[cfg(feature = "mutants")]
mod planting {
    use super::Mutant;
    use std::cell::Cell;

    thread_local! {
        static PLANTED: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    /// What a build that can plant faults has in it, and no other.
    pub const MARK: &str = "turnstone: this build can plant faults";

    /// Plants a fault on this thread, or none.
    pub fn plant(mutant: Option<Mutant>) {
        PLANTED.set(mutant);
    }

    pub fn planted(mutant: Mutant) -> bool {
        // Here, so that it is in every program that could be made to do wrong.
        std::hint::black_box(MARK);
        PLANTED.get() == Some(mutant)
    }
}

#[cfg(feature = "mutants")]
pub use planting::{MARK, plant, planted};

/// Whether this fault is planted: never.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub const fn planted(_: Mutant) -> bool {
    false
}
