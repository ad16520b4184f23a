//! Staff at the lane: unlocking by number and PIN, and what they decide then. Part of the engine; no I/O, no clock.
//!
//! Invariants:
//! - Whether a PIN was right is known only when its row is on the disk, and waits after wrong PINs are counted from rows.
//! - While a page for staff is open no code is taken and none is held off: one that is still in view is taken when the page
//!   closes. A page that nobody touches closes by itself, so that no lane stands still.
//! - Nobody decides but who is unlocked at that moment, and nothing is shown green but what came back as a `Recorded`.

use gate_core::record::StaffAct;
use gate_core::row::text_hash;
use gate_core::staff::{FREE_TRIES, Pin, PinError, Role, wait_ms};
use gate_core::{Detail, Direction, Outcome, Reach, Reason, Recorded};

use super::{ASK_MS, Effect, Engine, Moment, OnScreen, Phase, SignedGrant, Trouble};
use crate::core::present::Tone;
use crate::core::present::staff::{Action, Ground, Say, StaffPage, StaffView};
use crate::core::present::times;
use crate::core::report::Report;

/// Without an act of staff for this long, the handheld locks again.
pub const LOCK_AFTER_MS: i64 = 60_000;
/// A page that nobody touches closes after this long: guests wait.
pub const PAGE_STAYS_MS: i64 = 20_000;
/// The last verdict may be decided about for this long.
const RECENT_MS: i64 = 5 * 60_000;
/// A PIN that could not be checked in this time is not checked.
const CHECK_MS: i64 = 10_000;
/// An imager says a code once: one that it said while a page was open is taken when the page closes within this time.
const IMAGER_WAITS_MS: i64 = 10_000;
/// Guests without a code that are let in at once.
const WITHOUT_CODE_MAX: u8 = 20;
/// Digits of a staff number.
const NUMBER_DIGITS: usize = 5;

/// What staff do, and what came of it.
#[derive(Debug, Clone)]
pub enum StaffInput {
    /// Who there is, and how many PINs were wrong in a row: at the start and whenever the list changes.
    Known {
        members: Vec<(u16, Role)>,
        failures: u32,
    },
    Open,
    /// A key of the pad.
    Key(Digit),
    Erase,
    Enter,
    Choose(Action),
    Because(Ground),
    /// So many guests more or fewer.
    Guests(i8),
    /// The day of the clock that is set, later or earlier.
    Day(i8),
    Back,
    Close,
    Lock,
    /// The answer to [`StaffEffect::Check`].
    Checked {
        attempt: u64,
        fits: bool,
    },
    /// The answer to [`StaffEffect::Record`]: `None` where the row that it follows cannot be followed so.
    Recorded {
        recorded: Option<Box<Recorded>>,
    },
    /// The other answer to it, and to [`StaffEffect::SetClock`]: the database failed. The message says what to do.
    NotRecorded {
        message: String,
    },
    /// The answer to [`StaffEffect::SetClock`]: whether the clock goes by it now.
    ClockSet {
        seq: Option<u64>,
    },
}

/// A digit, which no log is told of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digit(u8);

impl Digit {
    pub fn new(digit: u8) -> Option<Self> {
        (digit < 10).then_some(Digit(digit))
    }

    fn letter(self) -> char {
        char::from(b'0' + self.0)
    }
}

impl std::fmt::Debug for Digit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digit")
    }
}

/// What staff make the handheld do.
#[derive(Debug, Clone)]
pub enum StaffEffect {
    /// Check a PIN where no scan waits for it, and come back with [`StaffInput::Checked`].
    Check { attempt: u64, number: u16, pin: Pin },
    /// If the row's ticket is one that a server grants, ask it about so many guests; come back with `Input::Granted`.
    Ask { question: u64, of: u64, guests: u8 },
    /// Commit it, and come back with [`StaffInput::Recorded`].
    Record { act: StaffAct, reach: Reach, grant: Option<Box<SignedGrant>> },
    /// Commit that this member of staff set the clock, then set it; come back with [`StaffInput::ClockSet`].
    SetClock { staff: u16, to_ms: i64, reach: Reach },
}

/// A verdict that staff may decide about.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Subject {
    seq: u64,
    outcome: Outcome,
    title: String,
    class: String,
    /// Guests who may still come in on the group's ticket.
    left: u8,
    since_ms: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unlocked {
    number: u16,
    role: Role,
    since_ms: i64,
}

/// What the guests page is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    More,
    WithoutCode,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Page {
    Closed,
    Number,
    Pin { number: u16 },
    Menu,
    Guests { purpose: For, guests: u8, most: u8 },
    Reasons { of: Option<u64>, guests: u8 },
    Clock { days: i32 },
}

/// The desk's state.
#[derive(Clone)]
pub(super) struct Desk {
    members: Vec<(u16, Role)>,
    failures: u32,
    blocked_until_ms: Option<i64>,
    page: Page,
    subject: Option<Subject>,
    recent: Option<Subject>,
    entry: zeroize::Zeroizing<String>,
    say: Say,
    touched_ms: i64,
    /// The number of the PIN that is being checked, whose it would be, and since when.
    checking: Option<(u64, u16, i64)>,
    attempt: u64,
    unlocked: Option<Unlocked>,
    /// Guests of a row, and since when their ticket's owner is asked.
    asking: Option<(u64, u8, i64)>,
    /// What is being committed.
    committing: Option<StaffAct>,
    /// The last text of an imager while a page was open.
    waiting: Option<(Vec<u8>, i64)>,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").field("page", &self.page).field("unlocked", &self.unlocked).finish_non_exhaustive()
    }
}

impl Desk {
    pub(super) fn new() -> Self {
        Desk {
            members: Vec::new(),
            failures: 0,
            blocked_until_ms: None,
            page: Page::Closed,
            subject: None,
            recent: None,
            entry: zeroize::Zeroizing::new(String::new()),
            say: Say::Nothing,
            touched_ms: 0,
            checking: None,
            attempt: 0,
            unlocked: None,
            asking: None,
            committing: None,
            waiting: None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.page != Page::Closed
    }

    /// The question that staff wait for is open: its grant would be void after another row.
    pub(super) fn is_asking(&self) -> bool {
        self.asking.is_some()
    }

    /// A code was seen while a page is open.
    pub(super) fn keep_waiting(&mut self, text: Vec<u8>, at: Moment) {
        self.waiting = Some((text, at.steady_ms));
    }

    fn turn(&mut self, page: Page, say: Say) {
        self.page = page;
        self.say = say;
        zeroize::Zeroize::zeroize(&mut *self.entry);
    }

    fn close(&mut self) {
        self.turn(Page::Closed, Say::Nothing);
        self.subject = None;
    }

    fn wait_ms(&self, at: Moment) -> i64 {
        self.blocked_until_ms.map_or(0, |until| (until - at.steady_ms).max(0))
    }
}

/// What the group's ticket still has room for, by the verdict that admitted it.
fn left(recorded: &Recorded) -> u8 {
    let decision = recorded.decision();
    match decision.detail {
        Some(Detail::Count { nth, of })
            if decision.outcome == Outcome::Admit && decision.direction == Direction::In =>
        {
            of.saturating_sub(nth)
        }
        _ => 0,
    }
}

impl Engine {
    /// A verdict is on the screen: what staff may decide about next.
    pub(super) fn subject_of(&mut self, recorded: &Recorded, title: &str, class: &str, at: Moment) {
        let decision = recorded.decision();
        // Without a lease nothing that anybody says counts, and the screen says so.
        let hopeless = matches!(decision.reason, Reason::LeaseExpired | Reason::NotReady);
        self.desk.recent = Some(Subject {
            seq: recorded.seq(),
            outcome: decision.outcome,
            title: title.to_owned(),
            class: class.to_owned(),
            left: left(recorded),
            since_ms: at.steady_ms,
        })
        .filter(|_| !hopeless);
    }

    pub(super) fn staff(&mut self, at: Moment, input: StaffInput, effects: &mut Vec<Effect>) {
        use StaffInput as I;
        match input {
            I::Known { members, failures } => self.staff_known(at, members, failures, effects),
            I::Checked { attempt, fits } => self.pin_checked(at, attempt, fits, effects),
            I::Recorded { recorded } => self.act_recorded(at, recorded.map(|one| *one), effects),
            I::NotRecorded { message } => self.act_not_recorded(message, effects),
            I::ClockSet { seq } => self.clock_set(seq, effects),
            I::Open => self.open_desk(at, effects),
            tap if self.desk.is_open() && self.desk.checking.is_none() && !self.is_committing() => {
                self.desk.touched_ms = at.steady_ms;
                if let Some(who) = &mut self.desk.unlocked {
                    who.since_ms = at.steady_ms;
                }
                self.tapped(at, tap, effects);
            }
            // The page has gone, or waits for an answer.
            _ => {}
        }
    }

    fn is_committing(&self) -> bool {
        self.desk.committing.is_some() || self.desk.asking.is_some()
    }

    fn tapped(&mut self, at: Moment, tap: StaffInput, effects: &mut Vec<Effect>) {
        let desk = &mut self.desk;
        match tap {
            StaffInput::Key(digit) => {
                let most = match desk.page {
                    Page::Number => NUMBER_DIGITS,
                    Page::Pin { .. } => Pin::DIGITS_MAX,
                    Page::Clock { .. } => 4,
                    _ => 0,
                };
                if desk.entry.len() < most && desk.wait_ms(at) == 0 {
                    desk.entry.push(digit.letter());
                    desk.say = Say::Nothing;
                }
            }
            StaffInput::Erase => {
                desk.entry.pop();
            }
            StaffInput::Enter => self.entered(at, effects),
            StaffInput::Choose(action) => self.chosen(at, action, effects),
            StaffInput::Because(ground) => {
                if let Page::Reasons { of, guests } = desk.page {
                    self.overridden(at, of, guests, ground, effects);
                }
            }
            StaffInput::Guests(step) => {
                if let Page::Guests { guests, most, .. } = &mut desk.page {
                    *guests = guests.saturating_add_signed(step).clamp(1, *most);
                }
            }
            StaffInput::Day(step) => {
                if let Page::Clock { days } = &mut desk.page {
                    *days = days.saturating_add(i32::from(step)).clamp(-400, 400);
                }
            }
            StaffInput::Back => match desk.page {
                Page::Pin { .. } => desk.turn(Page::Number, Say::Nothing),
                Page::Guests { .. } | Page::Reasons { .. } | Page::Clock { .. } => desk.turn(Page::Menu, Say::Nothing),
                _ => self.close_desk(at, effects),
            },
            StaffInput::Close => self.close_desk(at, effects),
            StaffInput::Lock => {
                self.lock(effects);
                self.close_desk(at, effects);
            }
            _ => {}
        }
    }

    fn staff_known(&mut self, at: Moment, members: Vec<(u16, Role)>, failures: u32, effects: &mut Vec<Effect>) {
        let desk = &mut self.desk;
        if failures > desk.failures {
            // The handheld has started: it waits anew, so that a restart is no way round.
            desk.failures = failures;
            desk.blocked_until_ms = Some(at.steady_ms + wait_ms(failures));
        }
        desk.members = members;
        if desk.unlocked.is_some_and(|who| !desk.members.contains(&(who.number, who.role))) {
            self.lock(effects);
            self.close_desk(at, effects);
        }
    }

    fn open_desk(&mut self, at: Moment, effects: &mut Vec<Effect>) {
        self.lock_idle(at, effects);
        let desk = &mut self.desk;
        if desk.members.is_empty() || !matches!(self.phase, Phase::Placed(_)) {
            return;
        }
        desk.subject = desk.recent.clone().filter(|subject| at.steady_ms - subject.since_ms < RECENT_MS);
        desk.touched_ms = at.steady_ms;
        desk.turn(if desk.unlocked.is_some() { Page::Menu } else { Page::Number }, Say::Nothing);
        self.overlay = None;
    }

    /// Closes the page. What an imager said meanwhile is taken now, as what is before a camera is by itself.
    fn close_desk(&mut self, at: Moment, effects: &mut Vec<Effect>) {
        self.desk.close();
        if let OnScreen::Verdict { since_ms, .. } = &mut self.on_screen {
            *since_ms = at.steady_ms;
        }
        let waiting = self.desk.waiting.take().filter(|(_, since_ms)| at.steady_ms - since_ms < IMAGER_WAITS_MS);
        if let Some((text, _)) = waiting {
            self.seen(at, vec![text], effects);
        }
    }

    fn lock(&mut self, effects: &mut Vec<Effect>) {
        if let Some(who) = self.desk.unlocked.take() {
            effects.push(Effect::Report(Report::Locked { staff: who.number }));
        }
    }

    fn lock_idle(&mut self, at: Moment, effects: &mut Vec<Effect>) {
        if self.desk.unlocked.is_some_and(|who| at.steady_ms - who.since_ms >= LOCK_AFTER_MS) {
            self.lock(effects);
        }
    }

    /// Time has passed.
    pub(super) fn staff_age(&mut self, at: Moment, effects: &mut Vec<Effect>) {
        if let Some((of, guests, since_ms)) = self.desk.asking
            && at.steady_ms - since_ms >= ASK_MS
        {
            self.more_answered(at, (of, guests), None, effects);
        }
        if self.desk.checking.is_some_and(|(_, _, since_ms)| at.steady_ms - since_ms >= CHECK_MS) {
            self.desk.checking = None;
            self.desk.turn(Page::Number, Say::NotChecked);
        }
        if self.desk.wait_ms(at) == 0 {
            self.desk.blocked_until_ms = None;
        }
        let busy = self.desk.checking.is_some() || self.is_committing();
        self.lock_idle(at, effects);
        let deciding = !matches!(self.desk.page, Page::Closed | Page::Number | Page::Pin { .. });
        let untouched = self.desk.is_open() && at.steady_ms - self.desk.touched_ms >= PAGE_STAYS_MS;
        if !busy && (untouched || (deciding && self.desk.unlocked.is_none())) {
            self.close_desk(at, effects);
        }
    }

    fn entered(&mut self, at: Moment, effects: &mut Vec<Effect>) {
        let desk = &mut self.desk;
        match desk.page {
            Page::Number => match desk.entry.parse() {
                Ok(number) => desk.turn(Page::Pin { number }, Say::Nothing),
                Err(_) => desk.turn(Page::Number, Say::NoNumber),
            },
            Page::Pin { number } if desk.wait_ms(at) == 0 => match Pin::parse(&desk.entry) {
                Ok(pin) => {
                    desk.attempt += 1;
                    desk.checking = Some((desk.attempt, number, at.steady_ms));
                    desk.turn(Page::Pin { number }, Say::Checking);
                    effects.push(Effect::Staff(StaffEffect::Check { attempt: desk.attempt, number, pin }));
                }
                Err(PinError::Length | PinError::Digits | PinError::Guessable) => {
                    desk.turn(Page::Pin { number }, Say::PinLength);
                }
            },
            Page::Guests { purpose, guests, .. } => self.guests_chosen(at, purpose, guests, effects),
            Page::Clock { .. } => self.clock_entered(at, effects),
            _ => {}
        }
    }

    fn pin_checked(&mut self, at: Moment, attempt: u64, fits: bool, effects: &mut Vec<Effect>) {
        let Some((_, number, _)) = self.desk.checking.filter(|(open, ..)| *open == attempt) else { return };
        self.desk.checking = None;
        // Somebody who was taken off the list meanwhile is nobody.
        let unlocked = fits && self.desk.members.iter().any(|(known, _)| *known == number);
        self.commit(at, StaffAct::Unlock { staff: number, unlocked }, None, effects);
    }

    fn commit(&mut self, at: Moment, act: StaffAct, grant: Option<Box<SignedGrant>>, effects: &mut Vec<Effect>) {
        self.desk.committing = Some(act.clone());
        effects.push(Effect::Staff(StaffEffect::Record { act, reach: self.reach(at), grant }));
    }

    fn act_recorded(&mut self, at: Moment, recorded: Option<Recorded>, effects: &mut Vec<Effect>) {
        let Some(act) = self.desk.committing.take() else { return };
        self.desk.touched_ms = at.steady_ms;
        let Some(recorded) = recorded else {
            self.desk.turn(Page::Menu, Say::TooLate);
            return;
        };
        if let Some(who) = &mut self.desk.unlocked {
            who.since_ms = at.steady_ms;
        }
        let done = recorded.decision().outcome == Outcome::Admit;
        match act {
            StaffAct::Unlock { staff, .. } => {
                self.row_written(recorded.seq(), effects);
                effects.push(Effect::Report(Report::Unlock { staff, unlocked: done }));
                self.unlock_recorded(at, staff, done);
            }
            _ => {
                self.desk.close();
                if let Some(ticket) = recorded.decision().ticket.filter(|_| done) {
                    // Whatever code the guest still shows: the ticket was decided about.
                    self.hold.begin(Some(ticket), text_hash(b""), at.steady_ms);
                }
                self.recorded(at, recorded, None, None, effects);
            }
        }
    }

    fn unlock_recorded(&mut self, at: Moment, number: u16, unlocked: bool) {
        let desk = &mut self.desk;
        if !unlocked {
            desk.failures = desk.failures.saturating_add(1);
            let wait = wait_ms(desk.failures);
            desk.blocked_until_ms = (wait > 0).then_some(at.steady_ms + wait);
            desk.turn(Page::Number, Say::Wrong { tries: FREE_TRIES.saturating_sub(desk.failures) });
            return;
        }
        desk.failures = 0;
        let role = desk.members.iter().find(|(known, _)| *known == number).map(|(_, role)| *role);
        desk.unlocked = role.map(|role| Unlocked { number, role, since_ms: at.steady_ms });
        desk.turn(Page::Menu, Say::Nothing);
    }

    fn act_not_recorded(&mut self, message: String, effects: &mut Vec<Effect>) {
        self.desk.committing = None;
        self.desk.close();
        self.sequence = self.sequence.wrapping_add(1);
        self.on_screen = OnScreen::Fault { message: message.clone() };
        self.troubles.insert(Trouble::Storage, message.clone());
        effects.push(Effect::Sound(Tone::Fault));
        effects.push(Effect::Report(Report::CannotRecord { message }));
    }

    fn row_written(&mut self, seq: u64, effects: &mut Vec<Effect>) {
        if let Phase::Placed(place) = &mut self.phase {
            place.head_seq = place.head_seq.max(seq);
        }
        self.mend(Trouble::Storage, effects);
        effects.push(Effect::Push);
    }

    /// What the unlocked member may do now, in the order in which it is wanted.
    fn actions(&self) -> Vec<Action> {
        let Some(who) = self.desk.unlocked else { return Vec::new() };
        let subject = self.desk.subject.as_ref();
        let more = subject.is_some_and(|subject| subject.left > 0);
        let refused = subject.is_some_and(|subject| subject.outcome != Outcome::Admit);
        let supervisor = who.role.is_supervisor();
        let offers = [
            (Action::More, more),
            (Action::LetIn, refused && supervisor),
            (Action::SendAway, refused && supervisor),
            (Action::WithoutCode, supervisor),
            (Action::Clock, supervisor),
        ];
        offers.into_iter().filter(|(_, offered)| *offered).map(|(action, _)| action).collect()
    }

    fn chosen(&mut self, at: Moment, action: Action, effects: &mut Vec<Effect>) {
        if self.desk.page != Page::Menu || !self.actions().contains(&action) {
            return;
        }
        let seq = self.desk.subject.as_ref().map(|subject| subject.seq);
        let left = self.desk.subject.as_ref().map_or(0, |subject| subject.left);
        match action {
            Action::More => self.desk.turn(Page::Guests { purpose: For::More, guests: left, most: left }, Say::Nothing),
            Action::LetIn => self.desk.turn(Page::Reasons { of: seq, guests: 1 }, Say::Nothing),
            Action::SendAway => {
                self.on_screen = OnScreen::Nothing;
                self.desk.recent = None;
                self.close_desk(at, effects);
            }
            Action::WithoutCode => {
                let page = Page::Guests { purpose: For::WithoutCode, guests: 1, most: WITHOUT_CODE_MAX };
                self.desk.turn(page, Say::Nothing);
            }
            Action::Clock => self.desk.turn(Page::Clock { days: 0 }, Say::Nothing),
        }
    }

    fn guests_chosen(&mut self, at: Moment, purpose: For, guests: u8, effects: &mut Vec<Effect>) {
        match (purpose, self.desk.subject.as_ref().map(|subject| subject.seq)) {
            (For::WithoutCode, _) => self.desk.turn(Page::Reasons { of: None, guests }, Say::Nothing),
            // Another ticket's owner is asked; a second tap comes after its answer.
            (For::More, Some(_)) if self.asking.is_some() => {}
            (For::More, Some(of)) => {
                self.desk.asking = Some((of, guests, at.steady_ms));
                self.question += 1;
                effects.push(Effect::Staff(StaffEffect::Ask { question: self.question, of, guests }));
            }
            (For::More, None) => {}
        }
    }

    /// The word of the ticket's owner has come, or its time is over. Whether staff had asked.
    pub(super) fn staff_granted(
        &mut self,
        at: Moment,
        grant: Option<Box<SignedGrant>>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Option<Box<SignedGrant>>> {
        let Some((of, guests, _)) = self.desk.asking else { return Err(grant) };
        self.more_answered(at, (of, guests), grant, effects);
        Ok(())
    }

    fn more_answered(
        &mut self,
        at: Moment,
        (of, guests): (u64, u8),
        grant: Option<Box<SignedGrant>>,
        effects: &mut Vec<Effect>,
    ) {
        self.desk.asking = None;
        if self.desk.unlocked.is_some() {
            self.commit(at, StaffAct::More { of, guests }, grant, effects);
        }
    }

    fn overridden(&mut self, at: Moment, of: Option<u64>, guests: u8, ground: Ground, effects: &mut Vec<Effect>) {
        let Some(who) = self.desk.unlocked.filter(|who| who.role.is_supervisor()) else { return };
        let note = ground.code().to_owned();
        self.commit(at, StaffAct::Override { of, guests, staff: who.number, note }, None, effects);
    }

    /// The time that the clock page shows, unix milliseconds: its day, and the hour and minute that were typed.
    fn entered_ms(&self, at: Moment, days: i32) -> Option<i64> {
        let Phase::Placed(place) = &self.phase else { return None };
        times::at_clock(at.now_ms, days, &self.desk.entry, &place.naming.zone)
    }

    fn clock_entered(&mut self, at: Moment, effects: &mut Vec<Effect>) {
        let Page::Clock { days } = self.desk.page else { return };
        let Some(who) = self.desk.unlocked.filter(|who| who.role.is_supervisor()) else { return };
        match self.entered_ms(at, days) {
            Some(to_ms) => {
                let act = StaffAct::ClockReset { staff: who.number, from_ms: at.now_ms, to_ms };
                self.desk.committing = Some(act);
                let reach = self.reach(at);
                effects.push(Effect::Staff(StaffEffect::SetClock { staff: who.number, to_ms, reach }));
            }
            None => self.desk.turn(Page::Clock { days }, Say::NoTime),
        }
    }

    fn clock_set(&mut self, seq: Option<u64>, effects: &mut Vec<Effect>) {
        let Some(StaffAct::ClockReset { staff, from_ms, to_ms }) = self.desk.committing.take() else { return };
        match seq {
            Some(seq) => {
                self.row_written(seq, effects);
                effects.push(Effect::Report(Report::ClockSet { staff, from_ms, to_ms }));
                self.desk.turn(Page::Menu, Say::ClockSet);
            }
            None => self.desk.turn(Page::Clock { days: 0 }, Say::TimeTooEarly),
        }
    }

    /// A page for staff may be opened.
    pub(super) fn staff_offered(&self) -> bool {
        !self.desk.members.is_empty() && matches!(self.phase, Phase::Placed(_))
    }

    /// What is left of the group that is on the screen.
    pub(super) fn group_left(&self) -> u8 {
        match (&self.on_screen, self.staff_offered()) {
            (OnScreen::Verdict { verdict, .. }, true) => left(verdict.recorded()),
            _ => 0,
        }
    }

    pub(super) fn staff_view(&self, at: Moment) -> Option<StaffView> {
        let desk = &self.desk;
        let wait_s = u32::try_from((desk.wait_ms(at) + 999) / 1_000).unwrap_or(u32::MAX);
        let page = match desk.page {
            Page::Closed => return None,
            Page::Number => StaffPage::Number { digits: desk.entry.to_string() },
            Page::Pin { number } => StaffPage::Pin { number, typed: desk.entry.len() },
            Page::Menu => StaffPage::Menu { actions: self.actions() },
            Page::Guests { purpose, guests, most } => {
                StaffPage::Guests { guests, most, of_group: purpose == For::More }
            }
            Page::Reasons { guests, .. } => StaffPage::Reasons { guests },
            Page::Clock { days } => {
                let zone = match &self.phase {
                    Phase::Placed(place) => place.naming.zone.clone(),
                    _ => return None,
                };
                let day = times::day(at.now_ms, days, &zone);
                StaffPage::Clock { day, digits: desk.entry.to_string(), now: times::clock(at.now_ms, &zone) }
            }
        };
        let subject =
            desk.subject.as_ref().filter(|_| matches!(desk.page, Page::Menu | Page::Reasons { of: Some(_), .. }));
        let subject = subject.map(|one| match one.class.as_str() {
            "" => one.title.clone(),
            class => format!("{}: {class}", one.title),
        });
        let say = if wait_s > 0 { Say::Wait { s: wait_s } } else { desk.say };
        let who = desk.unlocked.map(|who| (who.number, who.role));
        Some(StaffView { page, say, subject: subject.unwrap_or_default(), who, busy: self.is_committing() })
    }
}
