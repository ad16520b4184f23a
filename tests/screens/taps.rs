//! What staff can tap, and what is heard of it; what a second equal verdict looks like.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use i_slint_backend_testing::testing_backend::mock_elapsed_time;
use i_slint_backend_testing::{AccessibleRole, ElementHandle};
use ui::slint::platform::{PointerEventButton, WindowEvent};
use ui::slint::{ComponentHandle, ModelRc, VecModel};
use ui::{CameraState, Conflict, GateWindow, ScreenKind, StaffPage};

use crate::{PORTRAIT, gate, picture, settle, setups, window};

fn tap(app: &GateWindow, id: &str) {
    let found: Vec<_> = ElementHandle::find_by_element_id(app, id).collect();
    assert_eq!(found.len(), 1, "one {id} on the screen");
    let size = found[0].size();
    assert!(size.width >= 48.0 && size.height >= 48.0, "{id} is {size:?}: too small for a glove");
    found[0].mock_single_click(PointerEventButton::Left);
}

fn counter() -> (Rc<Cell<u32>>, impl Fn() + 'static) {
    let count = Rc::new(Cell::new(0));
    let counted = count.clone();
    (count, move || counted.set(counted.get() + 1))
}

#[test]
fn a_tap_anywhere_on_a_verdict_dismisses_it() {
    let app = window(PORTRAIT);
    let (count, heard) = counter();
    gate(&app).on_dismiss(heard);
    for (taps, screen) in [ScreenKind::Admit, ScreenKind::Refuse, ScreenKind::Review].into_iter().enumerate() {
        gate(&app).set_screen(screen);
        settle(&app);
        tap(&app, "Verdict::touch");
        assert_eq!(count.get(), taps as u32 + 1, "{screen:?}");
    }
}

#[test]
fn try_again_on_a_scan_that_cannot_be_recorded_does_not_dismiss() {
    let app = window(PORTRAIT);
    let ((retried, retry), (dismissed, dismiss)) = (counter(), counter());
    gate(&app).on_retry(retry);
    gate(&app).on_dismiss(dismiss);
    gate(&app).set_screen(ScreenKind::CannotRecord);
    settle(&app);
    tap(&app, "Verdict::retry");
    assert_eq!((retried.get(), dismissed.get()), (1, 0));
}

#[test]
fn no_try_again_hides_on_the_other_verdicts() {
    let app = window(PORTRAIT);
    let (retried, retry) = counter();
    gate(&app).on_retry(retry);
    for screen in [ScreenKind::Admit, ScreenKind::Refuse, ScreenKind::Review] {
        gate(&app).set_screen(screen);
        settle(&app);
        for y in (10..800).step_by(20) {
            let position = ui::slint::LogicalPosition::new(240.0, y as f32);
            let button = PointerEventButton::Left;
            app.window().dispatch_event(WindowEvent::PointerPressed { position, button });
            app.window().dispatch_event(WindowEvent::PointerReleased { position, button });
        }
    }
    assert_eq!(retried.get(), 0);
}

#[test]
fn try_again_where_the_camera_is_lost_or_enrolment_failed() {
    let app = window(PORTRAIT);
    let (count, heard) = counter();
    gate(&app).on_retry(heard);
    gate(&app).set_screen(ScreenKind::Ready);
    gate(&app).set_camera(CameraState::Lost);
    settle(&app);
    tap(&app, "CameraView::retry");
    gate(&app).set_camera(CameraState::Live);
    gate(&app).set_screen(ScreenKind::Enrol);
    gate(&app).set_enrol_error("The code has expired. Ask for a new one.".into());
    settle(&app);
    tap(&app, "Outcome::retry");
    assert_eq!(count.get(), 2);
}

#[test]
fn conflicts_and_about_open_and_close() {
    let app = window(PORTRAIT);
    let heard = Rc::new(RefCell::new(Vec::new()));
    let note = |what: &'static str| {
        let heard = heard.clone();
        move || heard.borrow_mut().push(what)
    };
    gate(&app).on_show_conflicts(note("show-conflicts"));
    gate(&app).on_close_conflicts(note("close-conflicts"));
    gate(&app).on_show_about(note("show-about"));
    gate(&app).on_close_about(note("close-about"));
    gate(&app).set_conflicts(ModelRc::new(VecModel::from(vec![Conflict::default()])));
    gate(&app).set_screen(ScreenKind::Ready);
    settle(&app);
    tap(&app, "ReadyScreen::conflict");
    tap(&app, "Status::about");
    gate(&app).set_screen(ScreenKind::Conflicts);
    settle(&app);
    tap(&app, "ConflictsScreen::close");
    gate(&app).set_screen(ScreenKind::About);
    settle(&app);
    tap(&app, "AboutScreen::close");
    assert_eq!(*heard.borrow(), ["show-conflicts", "show-about", "close-conflicts", "close-about"]);
}

#[test]
fn keys_reach_rust_unfiltered_on_every_screen() {
    let app = window(PORTRAIT);
    let typed = Rc::new(RefCell::new(String::new()));
    let heard = typed.clone();
    gate(&app).on_typed(move |text| heard.borrow_mut().push_str(&text));
    app.window().dispatch_event(WindowEvent::WindowActiveChanged(true));
    for screen in [ScreenKind::Ready, ScreenKind::Admit] {
        gate(&app).set_screen(screen);
        settle(&app);
        for key in ["T", "1", "S", "\n"] {
            app.window().dispatch_event(WindowEvent::KeyPressed { text: key.into() });
            app.window().dispatch_event(WindowEvent::KeyReleased { text: key.into() });
        }
    }
    assert_eq!(*typed.borrow(), "T1S\nT1S\n");
}

#[test]
fn the_second_of_two_equal_verdicts_flashes_and_looks_different() {
    let app = window(PORTRAIT);
    gate(&app).set_title("Admit".into());
    gate(&app).set_screen(ScreenKind::Admit);
    gate(&app).set_sequence(1);
    settle(&app);
    let first = picture::pixels(&app);
    gate(&app).set_sequence(2);
    mock_elapsed_time(10);
    let flash = picture::pixels(&app);
    settle(&app);
    let second = picture::pixels(&app);
    assert_ne!(first, second, "the bar changes sides");
    let brightness = |pixels: &[u8]| pixels.iter().map(|&value| u64::from(value)).sum::<u64>() / pixels.len() as u64;
    assert!(brightness(&flash) > brightness(&second) + 40, "the whole screen lights up for a moment");
}

fn press(app: &GateWindow, label: &str) {
    let labelled = ElementHandle::find_by_accessible_label(app, label);
    let found: Vec<_> = labelled.filter(|found| found.accessible_role() == Some(AccessibleRole::Button)).collect();
    assert_eq!(found.len(), 1, "one {label:?} on the screen");
    let size = found[0].size();
    assert!(size.width >= 48.0 && size.height >= 48.0, "{label:?} is {size:?}: too small for a glove");
    found[0].mock_single_click(PointerEventButton::Left);
}

#[test]
fn staff_are_offered_where_somebody_was_not_let_in_or_a_group_waits() {
    let app = window(PORTRAIT);
    let ((opened, open), (dismissed, dismiss)) = (counter(), counter());
    gate(&app).on_staff_open(open);
    gate(&app).on_dismiss(dismiss);
    gate(&app).set_staff_offered(true);
    gate(&app).set_group_left(3);
    for (screen, label) in [
        (ScreenKind::Refuse, "Staff decide"),
        (ScreenKind::Review, "Staff decide"),
        (ScreenKind::Admit, "Let in more of the group"),
        (ScreenKind::Ready, "Staff"),
    ] {
        gate(&app).set_screen(screen);
        settle(&app);
        press(&app, label);
    }
    assert_eq!((opened.get(), dismissed.get()), (4, 0));
}

#[test]
fn every_key_of_the_pad_and_every_choice_is_heard_and_large_enough_on_a_small_screen() {
    let app = window((320, 480));
    let heard = Rc::new(RefCell::new(String::new()));
    let note = |what: &'static str| {
        let heard = heard.clone();
        move || heard.borrow_mut().push_str(what)
    };
    let keys = heard.clone();
    gate(&app).on_staff_key(move |digit| keys.borrow_mut().push_str(&digit.to_string()));
    gate(&app).on_staff_erase(note("e"));
    gate(&app).on_staff_enter(note("o"));
    gate(&app).on_staff_back(note("b"));
    gate(&app).on_staff_lock(note("l"));
    setups::staff(&app, StaffPage::Number);
    settle(&app);
    for label in ["1", "2", "3", "4", "5", "6", "7", "8", "9", "0", "Erase", "OK", "Back to scanning"] {
        press(&app, label);
    }
    setups::staff(&app, StaffPage::Menu);
    let chosen = heard.clone();
    gate(&app).on_staff_choose(move |action| chosen.borrow_mut().push_str(&format!("{action:?} ")));
    settle(&app);
    press(&app, "Let this guest in");
    press(&app, "Lock");
    setups::staff(&app, StaffPage::Reasons);
    let why = heard.clone();
    gate(&app).on_staff_because(move |ground| why.borrow_mut().push_str(&format!("{ground:?}")));
    settle(&app);
    press(&app, "Booking was checked");
    assert_eq!(*heard.borrow(), "1234567890eobLetIn lBookingSeen");
}
