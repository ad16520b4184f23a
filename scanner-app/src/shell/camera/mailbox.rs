//! What lies between a source's thread and the one that decodes: one frame, one notice, a few texts.
//!
//! Invariants: bounded; a frame is replaced by a later one and never queues; a text is never dropped, its source waits
//! instead; after `close` nothing waits.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{RawFrame, SourceEvent};

/// Texts that wait; a person cannot trigger an imager faster than the gate decides, so more means a stuck gate.
const TEXTS_MAX: usize = 8;

#[derive(Default)]
struct Inside {
    notice: Option<SourceEvent>,
    texts: VecDeque<Vec<u8>>,
    frame: Option<RawFrame>,
    frames_skipped: u64,
    ended: bool,
    closed: bool,
    nudged: bool,
}

#[derive(Default)]
pub(super) struct Mailbox {
    inside: Mutex<Inside>,
    changed: Condvar,
}

impl Mailbox {
    /// Puts the latest frame, in place of one that nobody has taken. False once the mailbox is closed.
    pub(super) fn put_latest(&self, frame: RawFrame) -> bool {
        let mut inside = self.lock();
        if inside.frame.replace(frame).is_some() {
            inside.frames_skipped += 1;
        }
        self.changed.notify_all();
        !inside.closed
    }

    /// Puts a frame once the one before was taken: for recorded frames, of which none may be lost.
    pub(super) fn put_in_turn(&self, frame: RawFrame) -> bool {
        let mut inside = self.wait_while(|inside| inside.frame.is_some());
        inside.frame = Some(frame);
        self.changed.notify_all();
        !inside.closed
    }

    /// Puts a text once there is room. False once the mailbox is closed.
    pub(super) fn put_text(&self, text: Vec<u8>) -> bool {
        let mut inside = self.wait_while(|inside| inside.texts.len() >= TEXTS_MAX);
        inside.texts.push_back(text);
        self.changed.notify_all();
        !inside.closed
    }

    /// Tells of trouble or its end, in place of a notice that nobody has heard: only the present state matters.
    pub(super) fn tell(&self, notice: SourceEvent) {
        self.lock().notice = Some(notice);
        self.changed.notify_all();
    }

    /// Nothing more will be put.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Makes the reader's present or next wait return at once, since it has something else to do.
    pub(super) fn nudge(&self) {
        self.lock().nudged = true;
        self.changed.notify_all();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Waits until closed, at most `wait`; true if it was closed. This is how a source pauses between two tries.
    pub(super) fn closed_within(&self, wait: Duration) -> bool {
        let inside = self.lock();
        let (inside, _) = self
            .changed
            .wait_timeout_while(inside, wait, |inside| !inside.closed)
            .unwrap_or_else(PoisonError::into_inner);
        inside.closed
    }

    pub(super) fn next(&self, wait: Duration) -> Option<SourceEvent> {
        let until = Instant::now() + wait;
        let mut inside = self.lock();
        loop {
            if let Some(event) = take(&mut inside) {
                self.changed.notify_all();
                return Some(event);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || std::mem::take(&mut inside.nudged) {
                return None;
            }
            inside = self.changed.wait_timeout(inside, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(super) fn frames_skipped(&self) -> u64 {
        self.lock().frames_skipped
    }

    fn wait_while(&self, full: impl Fn(&Inside) -> bool) -> MutexGuard<'_, Inside> {
        self.changed
            .wait_while(self.lock(), |inside| full(inside) && !inside.closed)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing is ever left half done under the lock, so a panic elsewhere does not spoil what it guards.
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take(inside: &mut Inside) -> Option<SourceEvent> {
    if let Some(notice) = inside.notice.take() {
        return Some(notice);
    }
    if let Some(text) = inside.texts.pop_front() {
        return Some(SourceEvent::Text(text));
    }
    if let Some(frame) = inside.frame.take() {
        return Some(SourceEvent::Frame(frame));
    }
    std::mem::take(&mut inside.ended).then_some(SourceEvent::Ended)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::shell::camera::PixelFormat;

    const AT_ONCE: Duration = Duration::ZERO;

    fn frame(taken_ms: i64) -> RawFrame {
        RawFrame { format: PixelFormat::Grey, width: 1, height: 1, stride: 1, taken_ms, data: vec![0] }
    }

    #[test]
    fn the_latest_frame_wins() {
        let mailbox = Mailbox::default();
        for taken_ms in 0..5 {
            assert!(mailbox.put_latest(frame(taken_ms)));
        }
        assert_eq!(mailbox.next(AT_ONCE), Some(SourceEvent::Frame(frame(4))));
        assert_eq!(mailbox.next(AT_ONCE), None);
        assert_eq!(mailbox.frames_skipped(), 4);
    }

    #[test]
    fn trouble_comes_first_and_the_end_last() {
        let mailbox = Mailbox::default();
        mailbox.end();
        mailbox.put_latest(frame(1));
        mailbox.put_text(b"a".to_vec());
        mailbox.put_text(b"b".to_vec());
        mailbox.tell(SourceEvent::Stalled("old".into()));
        mailbox.tell(SourceEvent::Recovered);
        let all: Vec<_> = std::iter::from_fn(|| mailbox.next(AT_ONCE)).collect();
        let expected = [
            SourceEvent::Recovered,
            SourceEvent::Text(b"a".to_vec()),
            SourceEvent::Text(b"b".to_vec()),
            SourceEvent::Frame(frame(1)),
            SourceEvent::Ended,
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn a_nudge_ends_one_wait_and_loses_nothing() {
        let mailbox = Mailbox::default();
        mailbox.nudge();
        mailbox.put_latest(frame(1));
        assert_eq!(mailbox.next(Duration::from_secs(60)), Some(SourceEvent::Frame(frame(1))));
        assert_eq!(mailbox.next(Duration::from_secs(60)), None, "the nudge was still to be felt");
        assert_eq!(mailbox.next(AT_ONCE), None);
    }

    #[test]
    fn texts_and_recorded_frames_wait_for_room_and_closing_frees_them() {
        let mailbox = Arc::new(Mailbox::default());
        let theirs = Arc::clone(&mailbox);
        let typist = std::thread::spawn(move || {
            let mut sent = 0;
            while theirs.put_text(vec![sent as u8]) {
                sent += 1;
            }
            sent
        });
        for expected in 0..50 {
            let event = mailbox.next(Duration::from_secs(10));
            assert_eq!(event, Some(SourceEvent::Text(vec![expected as u8])));
        }
        mailbox.close();
        let sent = typist.join().unwrap();
        assert!((50..=50 + TEXTS_MAX).contains(&sent), "{sent}");
        assert!(mailbox.closed_within(Duration::from_secs(10)));
        mailbox.put_latest(frame(1));
        assert!(!mailbox.put_in_turn(frame(2)));
    }
}
