//! Every state a screen can be in, with texts of the length that a real evening brings, and its picture.

use ui::{CameraState, GateWindow, ScreenKind, StaffPage, StaffSay};

use crate::{PORTRAIT, gate, picture, settle, setups, texts, window};

const SMALL: (u32, u32) = (320, 480);
const WIDE: (u32, u32) = (800, 480);
const LARGE: (u32, u32) = (720, 1280);

macro_rules! screens {
    ($($name:ident $file:literal $size:expr, $setup:expr;)*) => {
        $(#[test]
        fn $name() {
            let app = window($size);
            setups::place(&gate(&app));
            let setup: fn(&GateWindow) = $setup;
            setup(&app);
            settle(&app);
            picture::assert_matches(&app, $file);
        })*
    };
}

screens! {
    starting "01-starting" PORTRAIT, |app| setups::starting(app);
    enrol "02-enrol" PORTRAIT, |app| setups::enrol(app);
    enrol_error "03-enrol-error" PORTRAIT, |app| {
        setups::enrol(app);
        gate(app).set_enrol_error("This code has expired. Ask the supervisor for a new one and hold it in the frame.".into());
    };
    confirm "04-confirm" PORTRAIT, |app| setups::confirm(app);
    ready "06-ready" PORTRAIT, |app| setups::ready(app);
    ready_code_in_view "07-ready-code-in-view" PORTRAIT, |app| {
        setups::ready(app);
        gate(app).set_code_in_view(true);
    };
    ready_troubled "08-ready-offline-notices-conflict" PORTRAIT, |app| {
        setups::ready(app);
        setups::troubled(app);
    };
    ready_camera_lost "09-ready-camera-lost" PORTRAIT, |app| {
        setups::ready(app);
        setups::camera_lost(app);
    };
    ready_imager "10-ready-imager" PORTRAIT, |app| {
        setups::ready(app);
        gate(app).set_camera(CameraState::Imager);
        gate(app).set_camera_text("Scan with the imager at the handle.".into());
    };
    ready_german "11-ready-german" PORTRAIT, |app| {
        setups::ready(app);
        setups::german_place(app);
    };
    admit "12-admit" PORTRAIT, |app| setups::admit(app);
    admit_second_of_four "13-admit-second-of-four" PORTRAIT, |app| {
        setups::admit(app);
        gate(app).set_sequence(2);
        gate(app).set_ticket_class("Family ticket".into());
        gate(app).set_count("2 of 4".into());
        gate(app).set_details(texts(&["First admitted 19:58:40 at Lane 1"]));
    };
    admit_marks "14-admit-unlisted-flagged-recovered" PORTRAIT, |app| {
        setups::admit(app);
        gate(app).set_mark_unlisted(true);
        gate(app).set_mark_flagged(true);
        gate(app).set_mark_recovered(true);
        gate(app).set_next_step("Check the photo ID: reduced price.".into());
    };
    admit_german "15-admit-german" PORTRAIT, |app| {
        setups::german_place(app);
        setups::admit(app);
        gate(app).set_title("Einlassen".into());
        gate(app).set_ticket_class("Rollstuhlfahrer-Begleitperson Innenraum".into());
        gate(app).set_mark_unlisted(true);
    };
    admit_asks "16-admit-asks" PORTRAIT, |app| {
        setups::welcome(app);
        gate(app).set_questions("Check the photo ID against the ticket".into());
    };
    admit_asks_much "17-admit-asks-much" PORTRAIT, |app| {
        setups::welcome(app);
        gate(app).set_count("2 of 4".into());
        gate(app).set_mark_flagged(true);
        setups::questions(app);
    };
    admit_asks_german "18-admit-asks-german" PORTRAIT, |app| {
        setups::german_place(app);
        setups::admit(app);
        gate(app).set_title("Einlassen".into());
        gate(app).set_ticket_class("Rollstuhlfahrer-Begleitperson Innenraum".into());
        setups::questions_german(app);
    };
    ready_asks "19-ready-asks" PORTRAIT, |app| {
        setups::ready(app);
        gate(app).set_questions("Check the photo ID against the ticket".into());
    };
    ready_asks_german "20-ready-asks-german" PORTRAIT, |app| {
        setups::ready(app);
        setups::german_place(app);
        setups::questions_german(app);
    };
    refuse_used "21-refuse-used" PORTRAIT, |app| setups::refuse_used(app);
    refuse_not_a_ticket "22-refuse-not-a-ticket" PORTRAIT, |app| {
        setups::refuse_used(app);
        gate(app).set_sentence("This is not a ticket of ours.".into());
        gate(app).set_next_step("Ask for the ticket page or the printed ticket.".into());
        gate(app).set_reason_code("not_a_ticket".into());
        gate(app).set_ticket_class("".into());
        gate(app).set_details(texts(&[]));
    };
    refuse_long "23-refuse-long" PORTRAIT, |app| setups::refuse_long(app);
    refuse_german "24-refuse-german" PORTRAIT, |app| setups::refuse_german(app);
    review "31-review" PORTRAIT, |app| setups::review(app);
    review_german "32-review-german" PORTRAIT, |app| {
        setups::german_place(app);
        setups::review(app);
        gate(app).set_title("Aufsicht fragen".into());
        gate(app).set_sentence("Gedruckte Eintrittskarte, die auf dieser Liste nicht steht.".into());
        gate(app).set_next_step("Gast zur Veranstaltungsleitung am Nordeingang begleiten.".into());
        gate(app).set_ticket_class("Stehplatz Jugendliche".into());
        gate(app).set_details(texts(&["Liste von 19:40:12, 34 Minuten alt"]));
    };
    cannot_record "41-cannot-record" PORTRAIT, |app| setups::cannot_record(app);
    enrol_german "05-enrol-german" PORTRAIT, |app| {
        setups::german_place(app);
        setups::enrol(app);
        gate(app).set_enrol_error(
            "Dieser Anmeldecode gehört zu einer anderen Veranstaltung. Bei der Aufsicht einen neuen verlangen.".into(),
        );
    };
    wiped "54-wiped" PORTRAIT, |app| setups::wiped(app);
    wiped_small "55-wiped-320x480" SMALL, |app| setups::wiped(app);
    wiped_wide "56-wiped-800x480" WIDE, |app| setups::wiped(app);
    conflicts "51-conflicts" PORTRAIT, |app| setups::conflicts(app);
    about "52-about" PORTRAIT, |app| gate(app).set_screen(ScreenKind::About);
    about_german "53-about-german" PORTRAIT, |app| {
        setups::german_place(app);
        gate(app).set_screen(ScreenKind::About);
    };
    small_ready "61-ready-320x480" SMALL, |app| {
        setups::ready(app);
        setups::troubled(app);
    };
    small_admit "62-admit-320x480" SMALL, |app| setups::admit(app);
    small_refuse "63-refuse-320x480" SMALL, |app| setups::refuse_german(app);
    small_review "64-review-320x480" SMALL, |app| setups::review(app);
    small_cannot_record "65-cannot-record-320x480" SMALL, |app| setups::cannot_record(app);
    small_confirm "66-confirm-320x480" SMALL, |app| setups::confirm(app);
    small_refuse_long "67-refuse-long-320x480" SMALL, |app| setups::refuse_long(app);
    small_about "68-about-320x480" SMALL, |app| gate(app).set_screen(ScreenKind::About);
    wide_ready "71-ready-800x480" WIDE, |app| {
        setups::ready(app);
        setups::troubled(app);
    };
    wide_admit "72-admit-800x480" WIDE, |app| {
        setups::admit(app);
        gate(app).set_count("2 of 4".into());
        gate(app).set_mark_recovered(true);
    };
    wide_refuse "73-refuse-800x480" WIDE, |app| setups::refuse_used(app);
    wide_review "74-review-800x480" WIDE, |app| setups::review(app);
    wide_cannot_record "75-cannot-record-800x480" WIDE, |app| setups::cannot_record(app);
    wide_confirm "76-confirm-800x480" WIDE, |app| setups::confirm(app);
    wide_enrol "77-enrol-800x480" WIDE, |app| setups::enrol(app);
    wide_refuse_long "78-refuse-long-800x480" WIDE, |app| setups::refuse_long(app);
    small_ready_asks "69-ready-asks-320x480" SMALL, |app| {
        setups::ready(app);
        setups::questions(app);
    };
    small_admit_asks "70-admit-asks-320x480" SMALL, |app| {
        setups::welcome(app);
        setups::questions(app);
    };
    wide_admit_asks "79-admit-asks-800x480" WIDE, |app| {
        setups::welcome(app);
        setups::questions(app);
    };
    wide_ready_asks "80-ready-asks-800x480" WIDE, |app| {
        setups::ready(app);
        setups::questions(app);
    };
    staff_ready "91-staff-ready" PORTRAIT, |app| {
        setups::ready(app);
        gate(app).set_staff_offered(true);
    };
    staff_refuse "92-staff-refuse" PORTRAIT, |app| {
        setups::refuse_used(app);
        gate(app).set_staff_offered(true);
    };
    staff_review_german "93-staff-review-german" PORTRAIT, |app| {
        setups::german_place(app);
        setups::review(app);
        gate(app).set_staff_offered(true);
    };
    staff_admit_group "94-staff-admit-group" PORTRAIT, |app| {
        setups::admit(app);
        gate(app).set_count("1 of 4".into());
        gate(app).set_group_left(3);
    };
    staff_number "95-staff-number" PORTRAIT, |app| {
        setups::staff_said(app, StaffPage::Number, StaffSay::Wrong, 3);
    };
    staff_pin "96-staff-pin" PORTRAIT, |app| {
        setups::staff(app, StaffPage::Pin);
        gate(app).set_staff_entry("••••".into());
    };
    staff_menu "97-staff-menu" PORTRAIT, |app| setups::staff(app, StaffPage::Menu);
    staff_guests "98-staff-guests" PORTRAIT, |app| setups::staff(app, StaffPage::Guests);
    staff_reasons "99-staff-reasons" PORTRAIT, |app| setups::staff(app, StaffPage::Reasons);
    staff_clock "9a-staff-clock" PORTRAIT, |app| {
        setups::staff_said(app, StaffPage::Clock, StaffSay::TooEarly, 0);
        gate(app).set_staff_entry("20:1–".into());
    };
    staff_number_german "9b-staff-wait-german" PORTRAIT, |app| {
        setups::german_place(app);
        setups::staff_said(app, StaffPage::Number, StaffSay::Wait, 27);
    };
    staff_reasons_german "9c-staff-reasons-german" PORTRAIT, |app| {
        setups::german_place(app);
        setups::staff(app, StaffPage::Reasons);
    };
    small_staff_number "9d-staff-number-320x480" SMALL, |app| {
        setups::german_place(app);
        setups::staff_said(app, StaffPage::Number, StaffSay::Wrong, 3);
    };
    small_staff_menu "9e-staff-menu-320x480" SMALL, |app| setups::staff(app, StaffPage::Menu);
    small_staff_reasons "9f-staff-reasons-320x480" SMALL, |app| setups::staff(app, StaffPage::Reasons);
    small_staff_clock "9g-staff-clock-320x480" SMALL, |app| {
        setups::german_place(app);
        setups::staff(app, StaffPage::Clock);
        gate(app).set_staff_entry("20:14".into());
    };
    small_staff_guests "9h-staff-guests-320x480" SMALL, |app| setups::staff(app, StaffPage::Guests);
    small_staff_refuse "9i-staff-refuse-320x480" SMALL, |app| {
        setups::refuse_long(app);
        gate(app).set_staff_offered(true);
    };
    wide_staff_pin "9j-staff-pin-800x480" WIDE, |app| {
        setups::staff_said(app, StaffPage::Pin, StaffSay::Checking, 0);
        gate(app).set_staff_entry("••••••".into());
    };
    wide_staff_menu "9k-staff-menu-800x480" WIDE, |app| setups::staff(app, StaffPage::Menu);
    wide_staff_reasons "9l-staff-reasons-800x480" WIDE, |app| setups::staff(app, StaffPage::Reasons);
    wide_staff_clock "9m-staff-clock-800x480" WIDE, |app| setups::staff(app, StaffPage::Clock);
    wide_staff_guests "9n-staff-guests-800x480" WIDE, |app| setups::staff(app, StaffPage::Guests);
    wide_staff_admit "9o-staff-admit-800x480" WIDE, |app| {
        setups::admit(app);
        gate(app).set_count("1 of 4".into());
        gate(app).set_group_left(3);
    };
    large_ready "81-ready-720x1280" LARGE, |app| setups::ready(app);
    large_refuse "82-refuse-720x1280" LARGE, |app| setups::refuse_used(app);
}
