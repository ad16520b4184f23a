//! A disk for SQLite that loses what was not synced: the only way to test a promise about power cuts, since a killed
//! process leaves its page cache behind.
//!
//! [`Disk`] registers a file system with SQLite under a name of its own. It takes time and chance from the default one and
//! keeps files in memory: as programs see them, as the platters hold them, and the changes in between. Locks and the
//! write-ahead log's shared memory work as on Linux, for any number of connections of this process.
//!
//! Modelled after SQLite's own unix file system: a sync of a new log or rollback journal syncs its directory as well, a
//! removal only where SQLite asks for that, and an overwritten sector changes no bytes beside those written (powersafe
//! overwrite). SQLite never renames a file, so renaming is not modelled.

mod chance;
mod disk;
mod glue;
mod locks;

use std::sync::Arc;

pub use chance::Chance;
pub use disk::{Failure, Fault, Loss, Op};

/// A disk with SQLite's file system on it. Dropping it takes the name away; open connections then find the power off.
pub struct Disk {
    shared: Arc<glue::Shared>,
    registered: glue::Registered,
}

impl Default for Disk {
    fn default() -> Self {
        Self::new()
    }
}

impl Disk {
    /// An empty disk, registered under a name that no other one has.
    pub fn new() -> Self {
        let shared = Arc::<glue::Shared>::default();
        let registered = glue::register(&shared);
        Disk { shared, registered }
    }

    /// The name to give SQLite.
    pub fn vfs(&self) -> &str {
        self.registered.name()
    }

    /// Cuts the power now. Every open connection gets errors from here on; nothing opens until [`Disk::power_on`].
    pub fn power_cut(&self, loss: Loss) {
        self.shared.lock().power_cut(loss);
    }

    /// Cuts the power in the middle of the change or sync that comes after `operations` more.
    pub fn cut_after(&self, operations: u64, loss: Loss) {
        self.shared.lock().cut_after(operations, loss);
    }

    pub fn power_on(&self) {
        self.shared.lock().power_on();
    }

    pub fn is_on(&self) -> bool {
        self.shared.lock().is_on()
    }

    /// How many changes and syncs there were: what [`Disk::cut_after`] counts.
    pub fn operations(&self) -> u64 {
        self.shared.lock().operations()
    }

    /// How many syncs there were.
    pub fn syncs(&self) -> u64 {
        self.shared.lock().syncs()
    }

    /// Makes an operation fail.
    pub fn fail(&self, fault: Fault) {
        self.shared.lock().fault = Some(fault);
    }

    /// Takes a lasting fault away.
    pub fn mend(&self) {
        self.shared.lock().fault = None;
    }

    /// A file's bytes as programs see them.
    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.shared.lock().bytes(name)
    }

    /// Puts a file there, durably.
    pub fn place(&self, name: &str, bytes: &[u8]) {
        self.shared.lock().place(name, bytes);
    }

    /// The files' names.
    pub fn names(&self) -> Vec<String> {
        self.shared.lock().names()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.registered.unregister();
        let mut state = self.shared.lock();
        *state = disk::State::default();
        state.power_cut(Loss::Everything);
    }
}
