//! The pages for staff: a view into the screens' properties, and taps back.

use ui::slint::{ComponentHandle as _, ModelRc, VecModel};
use ui::{Gate, GateWindow, StaffAction, StaffGround, StaffPage as Shown, StaffSay};

use crate::core::engine::Input;
use crate::core::engine::staff::{Digit, StaffInput};
use crate::core::present::staff::{Action, Ground, Say, StaffPage, StaffView};
use crate::shell::sync::Outlet;

pub(super) fn copy(view: &StaffView, gate: &Gate<'_>) {
    let (say, count) = say(view.say);
    gate.set_staff_say(say);
    gate.set_staff_say_count(i32::try_from(count).unwrap_or(i32::MAX));
    gate.set_staff_subject(view.subject.as_str().into());
    gate.set_staff_busy(view.busy);
    if let Some((number, role)) = view.who {
        gate.set_staff_who(i32::from(number));
        gate.set_staff_supervisor(role.is_supervisor());
    }
    let page = match &view.page {
        StaffPage::Number { digits } => {
            gate.set_staff_entry(digits.as_str().into());
            Shown::Number
        }
        StaffPage::Pin { number, typed } => {
            gate.set_staff_number(i32::from(*number));
            gate.set_staff_entry("\u{2022}".repeat(*typed).into());
            Shown::Pin
        }
        StaffPage::Menu { actions } => {
            let actions: Vec<StaffAction> = actions.iter().copied().map(action).collect();
            gate.set_staff_actions(ModelRc::new(VecModel::from(actions)));
            Shown::Menu
        }
        StaffPage::Guests { guests, most, of_group } => {
            gate.set_staff_guests(i32::from(*guests));
            gate.set_staff_guests_max(i32::from(*most));
            gate.set_staff_of_group(*of_group);
            Shown::Guests
        }
        StaffPage::Reasons { guests } => {
            gate.set_staff_guests(i32::from(*guests));
            Shown::Reasons
        }
        StaffPage::Clock { day, digits, now } => {
            gate.set_staff_day(day.as_str().into());
            gate.set_staff_entry(clock(digits).into());
            gate.set_staff_clock_now(now.as_str().into());
            Shown::Clock
        }
    };
    gate.set_staff_page(page);
}

/// `20:1–` for `201`.
fn clock(digits: &str) -> String {
    let mut places = digits.chars().chain(std::iter::repeat('\u{2013}')).take(4);
    let hour: String = places.by_ref().take(2).collect();
    format!("{hour}:{}", places.collect::<String>())
}

fn say(say: Say) -> (StaffSay, u32) {
    match say {
        Say::Nothing => (StaffSay::Nothing, 0),
        Say::NoNumber => (StaffSay::NoNumber, 0),
        Say::PinLength => (StaffSay::PinLength, 0),
        Say::Checking => (StaffSay::Checking, 0),
        Say::NotChecked => (StaffSay::NotChecked, 0),
        Say::Wrong { tries } => (StaffSay::Wrong, tries),
        Say::Wait { s } => (StaffSay::Wait, s),
        Say::TooLate => (StaffSay::TooLate, 0),
        Say::NoTime => (StaffSay::NoTime, 0),
        Say::TimeTooEarly => (StaffSay::TooEarly, 0),
        Say::ClockSet => (StaffSay::ClockSet, 0),
    }
}

fn action(action: Action) -> StaffAction {
    match action {
        Action::More => StaffAction::More,
        Action::LetIn => StaffAction::LetIn,
        Action::SendAway => StaffAction::SendAway,
        Action::WithoutCode => StaffAction::WithoutCode,
        Action::Clock => StaffAction::Clock,
    }
}

fn chosen(action: StaffAction) -> Action {
    match action {
        StaffAction::More => Action::More,
        StaffAction::LetIn => Action::LetIn,
        StaffAction::SendAway => Action::SendAway,
        StaffAction::WithoutCode => Action::WithoutCode,
        StaffAction::Clock => Action::Clock,
    }
}

fn ground(ground: StaffGround) -> Ground {
    match ground {
        StaffGround::BookingSeen => Ground::BookingSeen,
        StaffGround::CodeUnreadable => Ground::CodeUnreadable,
        StaffGround::ScannedBefore => Ground::ScannedBefore,
        StaffGround::Companion => Ground::Companion,
        StaffGround::KnownToUs => Ground::KnownToUs,
        StaffGround::Safety => Ground::Safety,
    }
}

pub(super) fn listen(window: &GateWindow, outlet: &Outlet) {
    let gate = window.global::<Gate>();
    let on = |input: fn() -> StaffInput| {
        let outlet = outlet.clone();
        move || outlet.input(Input::Staff(input()))
    };
    gate.on_staff_open(on(|| StaffInput::Open));
    gate.on_staff_erase(on(|| StaffInput::Erase));
    gate.on_staff_enter(on(|| StaffInput::Enter));
    gate.on_staff_back(on(|| StaffInput::Back));
    gate.on_staff_close(on(|| StaffInput::Close));
    gate.on_staff_lock(on(|| StaffInput::Lock));
    let tell = outlet.clone();
    gate.on_staff_key(move |digit| {
        if let Some(digit) = u8::try_from(digit).ok().and_then(Digit::new) {
            tell.input(Input::Staff(StaffInput::Key(digit)));
        }
    });
    let tell = outlet.clone();
    gate.on_staff_choose(move |action| tell.input(Input::Staff(StaffInput::Choose(chosen(action)))));
    let tell = outlet.clone();
    gate.on_staff_because(move |why| tell.input(Input::Staff(StaffInput::Because(ground(why)))));
    let tell = outlet.clone();
    gate.on_staff_more(move |step| tell.input(Input::Staff(StaffInput::Guests(if step < 0 { -1 } else { 1 }))));
    let tell = outlet.clone();
    gate.on_staff_day_step(move |step| tell.input(Input::Staff(StaffInput::Day(if step < 0 { -1 } else { 1 }))));
}
