//! Sets a window's properties as the handheld's adapter does, one function a state.

use ui::slint::{ModelRc, VecModel};
use ui::{
    CameraState, Conflict, ConflictAdmission, Connection, Gate, GateWindow, Notice, ScreenKind, Severity, StaffAction,
    StaffPage, StaffSay,
};

use crate::{gate, picture, texts};

pub fn place(gate: &Gate) {
    gate.set_lane("Lane 2".into());
    gate.set_entrance("North entrance".into());
    gate.set_event_name("Harbour Lights".into());
    gate.set_clock("20:14".into());
    gate.set_device_name("Handheld 07".into());
    gate.set_device_id("9f31c07be2d45a68".into());
    gate.set_server_name("gate.example:8443".into());
    gate.set_version("0.1.0".into());
    gate.set_connection(Connection::Online);
    gate.set_connection_text("Online".into());
    gate.set_list_text("List 2 min old, 18,204 tickets".into());
    gate.set_waiting_text("Every scan has its receipt".into());
    gate.set_tally_text("Admitted here: 1,204".into());
    gate.set_camera(CameraState::Live);
    gate.set_preview(picture::camera_frame());
    gate.set_has_preview(true);
}

pub fn german_place(app: &GateWindow) {
    ui::slint::select_bundled_translation("de").expect("German is bundled");
    let gate = gate(app);
    gate.set_lane("Spur 2".into());
    gate.set_entrance("Nordeingang Zuschauertribüne".into());
    gate.set_event_name("Hafenlichter".into());
    gate.set_connection(Connection::Offline);
    gate.set_connection_text("Seit 12 Minuten offline".into());
    gate.set_list_text("Liste 34 Minuten alt, 18.204 Tickets".into());
    gate.set_list_old(true);
    gate.set_waiting_text("12 Scans warten auf Empfangsbestätigung".into());
    gate.set_tally_text("Hier eingelassen: 1.204".into());
    gate.set_last_text("20:14:05 Abgewiesen: schon eingelassen".into());
}

pub fn starting(app: &GateWindow) {
    gate(app).set_screen(ScreenKind::Starting);
    gate(app).set_starting_text("Checking the journal".into());
}

pub fn wiped(app: &GateWindow) {
    gate(app).set_screen(ScreenKind::Wiped);
    gate(app).set_starting_text(
        "The organiser had this handheld wiped. 1,204 scans wait for a receipt: leave it on and connected until it asks \
         for an enrolment code."
            .into(),
    );
}

pub fn enrol(app: &GateWindow) {
    gate(app).set_screen(ScreenKind::Enrol);
    gate(app).set_enrol_text("Waiting for a code".into());
}

pub fn confirm(app: &GateWindow) {
    gate(app).set_screen(ScreenKind::Confirm);
    gate(app).set_fingerprint(texts(&["7K3D", "Q0ZV", "8BW5", "S2HM"]));
}

pub fn ready(app: &GateWindow) {
    gate(app).set_screen(ScreenKind::Ready);
    gate(app).set_last_text("20:13:51 Admitted, Standing".into());
}

pub fn troubled(app: &GateWindow) {
    let gate = gate(app);
    gate.set_connection(Connection::Offline);
    gate.set_connection_text("Offline for 12 min".into());
    gate.set_list_text("List 34 min old, 18,204 tickets".into());
    gate.set_list_old(true);
    gate.set_waiting_text("12 scans waiting for receipt".into());
    gate.set_clock_doubt(true);
    gate.set_notices(ModelRc::new(VecModel::from(vec![
        notice(Severity::Error, "Disk nearly full", "Room for about 200 more scans. Tell the supervisor now."),
        notice(Severity::Warning, "List past its expiry", "Every ticket goes to the supervisor."),
        notice(Severity::Info, "Message: doors close at 20:30", ""),
        notice(Severity::Info, "A fourth, which stays hidden", "Not shown."),
    ])));
    gate.set_conflicts(ModelRc::new(VecModel::from(vec![Conflict::default()])));
}

pub fn camera_lost(app: &GateWindow) {
    gate(app).set_camera(CameraState::Lost);
    gate(app).set_camera_text("The camera is gone. Check its plug.".into());
    gate(app).set_notices(ModelRc::new(VecModel::from(vec![notice(
        Severity::Error,
        "Camera lost",
        "Nobody can be scanned here. Send guests to Lane 1.",
    )])));
}

pub fn notice(severity: Severity, title: &str, text: &str) -> Notice {
    Notice { severity, title: title.into(), text: text.into() }
}

pub fn admit(app: &GateWindow) {
    let gate = gate(app);
    gate.set_screen(ScreenKind::Admit);
    gate.set_sequence(1);
    gate.set_title("Admit".into());
    gate.set_ticket_class("Standing".into());
}

/// As a gate says it.
pub fn welcome(app: &GateWindow) {
    admit(app);
    let gate = gate(app);
    gate.set_title("Welcome".into());
    gate.set_sentence("The ticket is valid.".into());
    gate.set_next_step("Let the guest through.".into());
    gate.set_reason_code("admitted".into());
}

/// As many and as long as a policy may have them.
pub fn questions(app: &GateWindow) {
    let questions = [
        "Check the photo ID: the name on it must be the name that the guest tells you, and the photo must show the guest",
        "No bags larger than A4; send larger ones to the cloakroom at the north entrance before you let their owner in",
        "No glass, no cans, no umbrellas",
        "Under 16 only with an adult who has a ticket for the same block",
        "Hand out one wristband for each guest and close it yourself",
    ];
    gate(app).set_questions(listed(&questions).into());
}

pub fn questions_german(app: &GateWindow) {
    let questions = [
        "Lichtbildausweis prüfen: Schwerbehindertenausweis mit Merkzeichen B",
        "Keine Taschen größer als A4",
        "Unter 16 Jahren nur in Begleitung einer erziehungsberechtigten Person",
    ];
    gate(app).set_questions(listed(&questions).into());
}

fn listed(questions: &[&str]) -> String {
    questions.iter().map(|question| format!("\u{2022} {question}")).collect::<Vec<_>>().join("\n")
}

pub fn refuse_used(app: &GateWindow) {
    let gate = gate(app);
    gate.set_screen(ScreenKind::Refuse);
    gate.set_sequence(1);
    gate.set_title("Refused".into());
    gate.set_sentence("This ticket has already been used.".into());
    gate.set_next_step("Do not let the guest in. Send them to the supervisor if they disagree.".into());
    gate.set_reason_code("used".into());
    gate.set_ticket_class("Standing".into());
    gate.set_details(texts(&["Admitted 20:02:31 at Lane 1"]));
}

pub fn refuse_long(app: &GateWindow) {
    refuse_used(app);
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
}

pub fn refuse_german(app: &GateWindow) {
    german_place(app);
    refuse_used(app);
    let gate = gate(app);
    gate.set_title("Abgewiesen".into());
    gate.set_sentence("Die Zutrittsberechtigung wurde bereits verwendet.".into());
    gate.set_next_step("Nicht einlassen. Bei Widerspruch an die Veranstaltungsleitung verweisen.".into());
    gate.set_ticket_class("Stehplatz ermäßigt".into());
    gate.set_details(texts(&["Eingelassen um 20:02:31 Uhr an Spur 1"]));
}

pub fn review(app: &GateWindow) {
    let gate = gate(app);
    gate.set_screen(ScreenKind::Review);
    gate.set_sequence(1);
    gate.set_title("Ask first".into());
    gate.set_sentence("This printed ticket is not on this handheld's list.".into());
    gate.set_next_step("Keep the guest here and call the supervisor.".into());
    gate.set_reason_code("unlisted_printed".into());
    gate.set_ticket_class("Standing".into());
    gate.set_details(texts(&["List from 19:40:12, 34 min old"]));
}

pub fn cannot_record(app: &GateWindow) {
    let gate = gate(app);
    gate.set_screen(ScreenKind::CannotRecord);
    gate.set_sequence(1);
    gate.set_title("Cannot record".into());
    gate.set_sentence("The disk is full, so this scan was not stored. Nobody may pass unrecorded.".into());
    gate.set_next_step("Close this lane and tell the supervisor.".into());
    gate.set_reason_code("disk_full".into());
}

pub fn conflicts(app: &GateWindow) {
    let admission = |lane: &str, device: &str, at: &str| ConflictAdmission {
        lane: lane.into(),
        device: device.into(),
        at: at.into(),
    };
    let conflict = |ticket: &str, class: &str, summary: &str, admissions: Vec<ConflictAdmission>| Conflict {
        ticket: ticket.into(),
        ticket_class: class.into(),
        summary: summary.into(),
        admissions: ModelRc::new(VecModel::from(admissions)),
    };
    gate(app).set_screen(ScreenKind::Conflicts);
    gate(app).set_conflicts(ModelRc::new(VecModel::from(vec![
        conflict(
            "4c1e09a7",
            "Standing",
            "Admitted 2 times, allowed 1",
            vec![
                admission("Lane 1", "Handheld 03", "20:02:31 ± 2 s"),
                admission("Lane 2", "Handheld 07", "20:14:05 ± 2 s"),
            ],
        ),
        conflict(
            "b7730f12",
            "Family ticket, north stand, with a long name",
            "Admitted 5 times, allowed 4",
            vec![
                admission("Lane 1", "Handheld 03", "19:51:10 ± 2 s"),
                admission("Lane 2", "Handheld 07", "19:51:44 ± 2 s"),
                admission("Lane 4, wheelchair access", "Handheld 11", "19:58:02 ± 9 s"),
            ],
        ),
    ])));
}

pub fn staff(app: &GateWindow, page: StaffPage) {
    let gate = gate(app);
    gate.set_screen(ScreenKind::Staff);
    gate.set_staff_offered(true);
    gate.set_staff_page(page);
    gate.set_staff_number(7);
    gate.set_staff_who(7);
    gate.set_staff_supervisor(true);
    gate.set_staff_guests(3);
    gate.set_staff_guests_max(3);
    gate.set_staff_of_group(true);
    gate.set_staff_subject("20:14:05 Already used: Season pass, north stand, standing, under 25".into());
    let actions = [StaffAction::LetIn, StaffAction::SendAway, StaffAction::WithoutCode, StaffAction::Clock];
    gate.set_staff_actions(ModelRc::new(VecModel::from(actions.to_vec())));
    gate.set_staff_day("Sat 14 Nov".into());
    gate.set_staff_clock_now("20:14".into());
}

/// A page for staff after a wrong PIN, or another mistake.
pub fn staff_said(app: &GateWindow, page: StaffPage, say: StaffSay, count: i32) {
    staff(app, page);
    gate(app).set_staff_say(say);
    gate(app).set_staff_say_count(count);
}
