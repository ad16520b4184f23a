//! Every state a screen can be in, with texts of the length that a real evening brings, and its picture.

use ui::{CameraState, GateWindow, ScreenKind};

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
    ready "05-ready" PORTRAIT, |app| setups::ready(app);
    ready_code_in_view "06-ready-code-in-view" PORTRAIT, |app| {
        setups::ready(app);
        gate(app).set_code_in_view(true);
    };
    ready_troubled "07-ready-offline-notices-conflict" PORTRAIT, |app| {
        setups::ready(app);
        setups::troubled(app);
    };
    ready_camera_lost "08-ready-camera-lost" PORTRAIT, |app| {
        setups::ready(app);
        setups::camera_lost(app);
    };
    ready_imager "09-ready-imager" PORTRAIT, |app| {
        setups::ready(app);
        gate(app).set_camera(CameraState::Imager);
        gate(app).set_camera_text("Scan with the imager at the handle.".into());
    };
    ready_german "10-ready-german" PORTRAIT, |app| {
        setups::ready(app);
        setups::german_place(app);
    };
    admit "11-admit" PORTRAIT, |app| setups::admit(app);
    admit_second_of_four "12-admit-second-of-four" PORTRAIT, |app| {
        setups::admit(app);
        gate(app).set_sequence(2);
        gate(app).set_ticket_class("Family ticket".into());
        gate(app).set_count("2 of 4".into());
        gate(app).set_details(texts(&["First admitted 19:58:40 at Lane 1"]));
    };
    admit_marks "13-admit-unlisted-flagged-recovered" PORTRAIT, |app| {
        setups::admit(app);
        gate(app).set_mark_unlisted(true);
        gate(app).set_mark_flagged(true);
        gate(app).set_mark_recovered(true);
        gate(app).set_next_step("Check the photo ID: reduced price.".into());
    };
    admit_german "14-admit-german" PORTRAIT, |app| {
        setups::german_place(app);
        setups::admit(app);
        gate(app).set_title("Einlassen".into());
        gate(app).set_ticket_class("Rollstuhlfahrer-Begleitperson Innenraum".into());
        gate(app).set_mark_unlisted(true);
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
    refuse_long "23-refuse-long" PORTRAIT, |app| {
        setups::refuse_used(app);
        gate(app).set_ticket_class("Season pass, north stand, standing, under 25".into());
        gate(app).set_sentence(
            "This ticket is not on this list: it may be for another date, or it was bought or bound only a few minutes \
             ago, after this handheld last heard from the server."
                .into(),
        );
        gate(app).set_next_step(
            "Ask the guest to tap \u{201c}Show full code\u{201d} on the ticket page and scan that. If the page does not \
             load, send the guest to the supervisor at the north entrance."
                .into(),
        );
        gate(app).set_reason_code("unknown".into());
        gate(app).set_details(texts(&["List from 19:40:12, 34 min old", "Offline since 19:41:02", "Scanned 20:14:05"]));
    };
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
    large_ready "81-ready-720x1280" LARGE, |app| setups::ready(app);
    large_refuse "82-refuse-720x1280" LARGE, |app| setups::refuse_used(app);
}
