//! The disk itself, without SQLite: files as programs see them, files as they would be after a power cut, and what lies
//! between the two.
//!
//! Invariants: a write, a truncation, a new name or a removed one is durable only after the sync that covers it; a sync
//! covers one file's bytes, and names only where it says so; a cut ends every handle that was open before it. All files lie
//! in one directory.

use std::collections::BTreeMap;

use crate::chance::Chance;
use crate::locks::{Level, Locks};

/// What a power cut takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// All that was not synced.
    Everything,
    /// Some of it, by this seed: for each file nothing, all, a prefix of its changes with the last one torn, or any subset
    /// of its 512-byte sectors, since a disk writes in the order that it likes.
    Torn(u64),
}

/// A disk's smallest unit that is written whole.
const SECTOR: u64 = 512;

/// An operation that can be told to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Write,
    Sync,
}

/// How it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// No space: SQLITE_FULL. A write gets half of its bytes down first.
    Full,
    /// A fault of the device: SQLITE_IOERR.
    Io,
}

/// A failure to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    pub op: Op,
    /// How many of these operations still succeed before it.
    pub after: u64,
    pub failure: Failure,
    /// Every later one fails as well, until [`State::fault`] is taken away.
    pub lasting: bool,
}

/// Why an operation did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The power is off, or was since this handle was opened.
    Off,
    Missing,
    Failed(Failure),
}

#[derive(Debug, Clone)]
enum Change {
    Write { at: u64, bytes: Vec<u8> },
    Truncate(u64),
}

impl Change {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Change::Write { at, bytes } => put(to, *at, bytes),
            Change::Truncate(size) => to.truncate(*size as usize),
        }
    }
}

fn put(to: &mut Vec<u8>, at: u64, bytes: &[u8]) {
    let (start, end) = (at as usize, at as usize + bytes.len());
    if to.len() < end {
        to.resize(end, 0);
    }
    to[start..end].copy_from_slice(bytes);
}

/// One file's bytes and locks.
#[derive(Debug, Default)]
pub struct Node {
    live: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
    pub locks: Locks<Level>,
}

impl Node {
    fn sync(&mut self) {
        for change in self.pending.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    /// What is found of it after a cut.
    fn survivor(&self, chance: Option<&mut Chance>) -> Vec<u8> {
        let mut found = self.durable.clone();
        let Some(chance) = chance else { return found };
        match chance.below(4) {
            0 => {}
            1 => self.pending.iter().for_each(|change| change.apply(&mut found)),
            2 => {
                let kept = chance.below(self.pending.len() as u64 + 1) as usize;
                self.pending[..kept].iter().for_each(|change| change.apply(&mut found));
                if let Some(Change::Write { at, bytes }) = self.pending.get(kept) {
                    put(&mut found, *at, &bytes[..chance.below(bytes.len() as u64 + 1) as usize]);
                }
            }
            _ => {
                for change in &self.pending {
                    match change {
                        Change::Write { at, bytes } => put_sectors(&mut found, *at, bytes, chance),
                        Change::Truncate(_) if chance.once_in(2) => change.apply(&mut found),
                        Change::Truncate(_) => {}
                    }
                }
            }
        }
        found
    }
}

/// Writes each sector of `bytes`, or not.
fn put_sectors(to: &mut Vec<u8>, at: u64, bytes: &[u8], chance: &mut Chance) {
    let mut done = 0;
    while done < bytes.len() {
        let left = (SECTOR - (at + done as u64) % SECTOR) as usize;
        let end = bytes.len().min(done + left);
        if chance.once_in(2) {
            put(to, at + done as u64, &bytes[done..end]);
        }
        done = end;
    }
}

/// Names a file's node; `None` says that the name was removed.
type Entry = (String, Option<u64>);

/// The whole disk.
#[derive(Debug, Default)]
pub struct State {
    off: bool,
    generation: u64,
    nodes: BTreeMap<u64, Node>,
    next_node: u64,
    live: BTreeMap<String, u64>,
    durable: BTreeMap<String, u64>,
    pending: Vec<Entry>,
    operations: u64,
    syncs: u64,
    cut_at: Option<(u64, Loss)>,
    pub fault: Option<Fault>,
}

/// An open file: which node, and since which cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grip {
    pub node: u64,
    generation: u64,
}

impl State {
    pub fn is_on(&self) -> bool {
        !self.off
    }

    /// Changes and syncs so far.
    pub fn operations(&self) -> u64 {
        self.operations
    }

    pub fn syncs(&self) -> u64 {
        self.syncs
    }

    /// Cuts the power in the middle of the operation that comes after `operations` more.
    pub fn cut_after(&mut self, operations: u64, loss: Loss) {
        self.cut_at = Some((self.operations + operations, loss));
    }

    pub fn power_on(&mut self) {
        self.off = false;
    }

    pub fn power_cut(&mut self, loss: Loss) {
        let mut chance = match loss {
            Loss::Everything => None,
            Loss::Torn(seed) => Some(Chance::new(seed)),
        };
        let mut names = std::mem::take(&mut self.durable);
        let known: Vec<Entry> = self.pending.drain(..).collect();
        for name in self.live.keys().chain(names.clone().keys()).cloned().collect::<std::collections::BTreeSet<_>>() {
            let entries: Vec<_> = known.iter().filter(|(of, _)| *of == name).collect();
            let kept = chance.as_mut().map_or(0, |chance| chance.below(entries.len() as u64 + 1)) as usize;
            match entries[..kept].last() {
                Some((_, Some(node))) => drop(names.insert(name, *node)),
                Some((_, None)) => drop(names.remove(&name)),
                None => {}
            }
        }
        let old = std::mem::take(&mut self.nodes);
        for node in names.values() {
            if let Some(was) = old.get(node) {
                let found = was.survivor(chance.as_mut());
                self.nodes.insert(*node, Node { durable: found.clone(), live: found, ..Node::default() });
            }
        }
        self.live = names.clone();
        self.durable = names;
        self.off = true;
        self.generation += 1;
        self.cut_at = None;
        self.fault = None;
    }

    /// Counts an operation; true if the power goes in the middle of it.
    fn counted(&mut self) -> Option<Loss> {
        self.operations += 1;
        self.cut_at.filter(|(at, _)| self.operations > *at).map(|(_, loss)| loss)
    }

    fn cut_if(&mut self, due: Option<Loss>) -> Result<(), Trouble> {
        let Some(loss) = due else { return Ok(()) };
        self.power_cut(loss);
        Err(Trouble::Off)
    }

    /// The failure that this operation was told to have.
    fn fails(&mut self, op: Op) -> Option<Failure> {
        let fault = self.fault.as_mut().filter(|fault| fault.op == op)?;
        if fault.after > 0 {
            fault.after -= 1;
            return None;
        }
        let failure = fault.failure;
        if !fault.lasting {
            self.fault = None;
        }
        Some(failure)
    }

    pub fn check(&self, grip: Grip) -> Result<(), Trouble> {
        if self.off || grip.generation != self.generation { Err(Trouble::Off) } else { Ok(()) }
    }

    pub fn node(&mut self, grip: Grip) -> Result<&mut Node, Trouble> {
        self.check(grip)?;
        self.nodes.get_mut(&grip.node).ok_or(Trouble::Off)
    }

    /// Opens a file by name; one without a name is nobody else's.
    pub fn open(&mut self, name: Option<&str>, create: bool) -> Result<Grip, Trouble> {
        if self.off {
            return Err(Trouble::Off);
        }
        let generation = self.generation;
        if let Some(node) = name.and_then(|name| self.live.get(name)) {
            return Ok(Grip { node: *node, generation });
        }
        if !create {
            return Err(Trouble::Missing);
        }
        let node = self.next_node;
        self.next_node += 1;
        self.nodes.insert(node, Node::default());
        if let Some(name) = name {
            self.live.insert(name.to_owned(), node);
            self.pending.push((name.to_owned(), Some(node)));
            let due = self.counted();
            self.cut_if(due)?;
        }
        Ok(Grip { node, generation })
    }

    /// A handle without a name was closed: nobody can open its file again.
    pub fn forget(&mut self, grip: Grip) {
        if self.check(grip).is_ok() {
            self.nodes.remove(&grip.node);
        }
    }

    pub fn exists(&self, name: &str) -> bool {
        !self.off && self.live.contains_key(name)
    }

    pub fn remove(&mut self, name: &str, sync_names: bool) -> Result<(), Trouble> {
        if self.off {
            return Err(Trouble::Off);
        }
        self.live.remove(name).ok_or(Trouble::Missing)?;
        self.pending.push((name.to_owned(), None));
        let due = self.counted();
        self.cut_if(due)?;
        if sync_names {
            self.sync_names();
        }
        Ok(())
    }

    fn sync_names(&mut self) {
        self.pending.clear();
        self.durable.clone_from(&self.live);
    }

    /// Reads into `into`; what lies past the end reads as zeros. Returns how many bytes there were.
    pub fn read(&mut self, grip: Grip, at: u64, into: &mut [u8]) -> Result<usize, Trouble> {
        let live = &self.node(grip)?.live;
        let found = live.get(at as usize..).unwrap_or_default();
        let count = found.len().min(into.len());
        into[..count].copy_from_slice(&found[..count]);
        into[count..].fill(0);
        Ok(count)
    }

    pub fn size(&mut self, grip: Grip) -> Result<u64, Trouble> {
        Ok(self.node(grip)?.live.len() as u64)
    }

    pub fn write(&mut self, grip: Grip, at: u64, bytes: &[u8]) -> Result<(), Trouble> {
        self.check(grip)?;
        let failure = self.fails(Op::Write);
        let written = match failure {
            None => bytes,
            Some(Failure::Full) => &bytes[..bytes.len() / 2],
            Some(Failure::Io) => &[],
        };
        let change = Change::Write { at, bytes: written.to_vec() };
        self.change(grip, change)?;
        failure.map_or(Ok(()), |failure| Err(Trouble::Failed(failure)))
    }

    pub fn truncate(&mut self, grip: Grip, size: u64) -> Result<(), Trouble> {
        self.change(grip, Change::Truncate(size))
    }

    fn change(&mut self, grip: Grip, change: Change) -> Result<(), Trouble> {
        let node = self.node(grip)?;
        change.apply(&mut node.live);
        node.pending.push(change);
        let due = self.counted();
        self.cut_if(due)
    }

    /// Makes the file's bytes durable; `names` as well as the directory's. A sync that fails has made nothing durable.
    pub fn sync(&mut self, grip: Grip, names: bool) -> Result<(), Trouble> {
        self.check(grip)?;
        self.syncs += 1;
        let due = self.counted();
        self.cut_if(due)?;
        if let Some(failure) = self.fails(Op::Sync) {
            return Err(Trouble::Failed(failure));
        }
        self.node(grip)?.sync();
        if names {
            self.sync_names();
        }
        Ok(())
    }

    /// A file's bytes as programs see them.
    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.live.get(name).and_then(|node| self.nodes.get(node)).map(|node| node.live.clone())
    }

    /// Puts a file there, durably, as if it had been there for long.
    pub fn place(&mut self, name: &str, bytes: &[u8]) {
        let node = self.next_node;
        self.next_node += 1;
        self.nodes.insert(node, Node { live: bytes.to_vec(), durable: bytes.to_vec(), ..Node::default() });
        self.live.insert(name.to_owned(), node);
        self.durable.insert(name.to_owned(), node);
    }

    pub fn names(&self) -> Vec<String> {
        self.live.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(cut: impl FnOnce(&mut State)) -> State {
        let mut disk = State::default();
        cut(&mut disk);
        disk.power_on();
        disk
    }

    #[test]
    fn only_what_was_synced_survives() {
        let disk = after(|disk| {
            let file = disk.open(Some("a"), true).unwrap();
            disk.write(file, 0, b"one").unwrap();
            disk.sync(file, true).unwrap();
            disk.write(file, 3, b"two").unwrap();
            disk.truncate(file, 1).unwrap();
            disk.power_cut(Loss::Everything);
            assert_eq!(disk.write(file, 0, b"x"), Err(Trouble::Off), "the power is off");
        });
        assert_eq!(disk.bytes("a").unwrap(), b"one");
    }

    #[test]
    fn names_are_durable_by_their_own_sync() {
        let disk = after(|disk| {
            let file = disk.open(Some("a"), true).unwrap();
            disk.sync(file, false).unwrap();
            let kept = disk.open(Some("b"), true).unwrap();
            disk.write(kept, 0, b"b").unwrap();
            disk.sync(kept, true).unwrap();
            disk.remove("b", false).unwrap();
            disk.open(Some("c"), true).unwrap();
            disk.power_cut(Loss::Everything);
        });
        assert_eq!(disk.names(), ["a", "b"], "b's removal and c were never synced");
        assert_eq!(disk.bytes("b").unwrap(), b"b");
        let gone = after(|disk| {
            disk.place("b", b"b");
            disk.remove("b", true).unwrap();
            disk.power_cut(Loss::Everything);
        });
        assert!(gone.names().is_empty());
    }

    #[test]
    fn a_name_made_again_before_its_removal_was_durable() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..64 {
            let disk = after(|disk| {
                disk.place("a", b"old");
                disk.remove("a", false).unwrap();
                let file = disk.open(Some("a"), true).unwrap();
                disk.write(file, 0, b"new").unwrap();
                disk.sync(file, false).unwrap();
                disk.power_cut(Loss::Torn(seed));
            });
            seen.insert(disk.bytes("a"));
        }
        assert_eq!(seen.len(), 3, "the old file, none, or the new one: {seen:?}");
    }

    #[test]
    fn tearing_keeps_whole_sectors_in_any_order_and_touches_nothing_else() {
        let (mut kinds, mut out_of_order) = (std::collections::BTreeSet::new(), false);
        for seed in 0..256 {
            let disk = after(|disk| {
                disk.place("a", &[1; 2048]);
                let file = disk.open(Some("a"), false).unwrap();
                disk.write(file, 256, &[2; 1024]).unwrap();
                disk.power_cut(Loss::Torn(seed));
            });
            let bytes = disk.bytes("a").unwrap();
            assert_eq!((bytes.len(), &bytes[..256], &bytes[1280..]), (2048, &[1; 256][..], &[1; 768][..]));
            let parts: Vec<bool> = [256, 512, 1024].iter().map(|at| bytes[*at] == 2).collect();
            out_of_order |= parts == [false, true, false] || parts == [false, false, true];
            kinds.insert(parts);
        }
        assert!(out_of_order && kinds.len() == 8, "{kinds:?}");
    }

    #[test]
    fn the_power_goes_in_the_middle_of_the_chosen_operation() {
        for at in 0..4 {
            let mut disk = State::default();
            disk.cut_after(at, Loss::Everything);
            let run = (|| {
                let file = disk.open(Some("a"), true)?;
                disk.write(file, 0, b"one")?;
                disk.sync(file, true)?;
                disk.write(file, 0, b"two")
            })();
            assert_eq!(run, Err(Trouble::Off), "operation {at}");
            disk.power_on();
            assert_eq!(disk.bytes("a"), (at == 3).then(|| b"one".to_vec()), "operation {at}");
        }
    }

    #[test]
    fn a_failing_write_says_so_and_a_failing_sync_makes_nothing_durable() {
        let mut disk = State::default();
        let file = disk.open(Some("a"), true).unwrap();
        disk.fault = Some(Fault { op: Op::Write, after: 1, failure: Failure::Full, lasting: false });
        disk.write(file, 0, b"1234").unwrap();
        assert_eq!(disk.write(file, 4, b"5678"), Err(Trouble::Failed(Failure::Full)));
        assert_eq!(disk.bytes("a").unwrap(), b"123456", "half of it went down");
        disk.fault = Some(Fault { op: Op::Sync, after: 0, failure: Failure::Io, lasting: true });
        for _ in 0..2 {
            assert_eq!(disk.sync(file, true), Err(Trouble::Failed(Failure::Io)));
        }
        disk.power_cut(Loss::Everything);
        assert!(disk.names().is_empty());
    }
}
