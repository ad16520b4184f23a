//! A view into the screens' properties, one by one; `sequence` last.

use ui::slint::{ModelRc, SharedString, VecModel};
use ui::{CameraState, Conflict, ConflictAdmission, Connection, Gate, Notice, ScreenKind, Severity};

use crate::core::present::view::{self, Eye, Page, View};
use crate::core::present::{NamedConflict, Tone, Verdict};

pub(super) fn copy(view: &View, gate: &Gate<'_>) {
    gate.set_staff_offered(view.staff_offered);
    gate.set_group_left(i32::from(view.group_left));
    gate.set_event_name(text(&view.event_name));
    gate.set_lane(text(&view.lane));
    gate.set_entrance(text(&view.entrance));
    gate.set_clock(text(&view.clock));
    gate.set_clock_doubt(view.clock_doubt);
    gate.set_connection(if view.online { Connection::Online } else { Connection::Offline });
    gate.set_connection_text(text(&view.connection_text));
    gate.set_list_text(text(&view.list_text));
    gate.set_list_old(view.list_old);
    gate.set_waiting_text(text(&view.waiting_text));
    gate.set_tally_text(text(&view.tally_text));
    gate.set_last_text(text(&view.last_text));
    gate.set_notices(model(view.notices.iter().map(notice)));
    gate.set_conflicts(model(view.conflicts.iter().map(conflict)));
    gate.set_questions(list(&view.questions));
    let (camera, camera_text) = match &view.eye {
        Eye::Starting => (CameraState::Starting, ""),
        Eye::Live => (CameraState::Live, ""),
        Eye::Lost(advice) => (CameraState::Lost, advice.as_str()),
        Eye::Imager => (CameraState::Imager, ""),
    };
    gate.set_camera(camera);
    gate.set_camera_text(text(camera_text));
    if camera != CameraState::Live {
        gate.set_has_preview(false);
    }
    gate.set_code_in_view(view.code_in_view);
    gate.set_device_name(text(&view.device_name));
    gate.set_device_id(text(&view.device_id));
    let screen = page(&view.page, gate);
    gate.set_screen(screen);
    gate.set_sequence(i32::try_from(view.sequence % (1 << 30)).unwrap_or(0));
}

fn page(page: &Page, gate: &Gate<'_>) -> ScreenKind {
    match page {
        Page::Starting { text: starting } => {
            gate.set_starting_text(text(starting));
            ScreenKind::Starting
        }
        Page::Enrol { text: enrol, error } => {
            gate.set_enrol_text(text(enrol));
            gate.set_enrol_error(text(error));
            ScreenKind::Enrol
        }
        Page::Confirm { fingerprint, server } => {
            gate.set_fingerprint(model(fingerprint.iter().map(|group| text(group))));
            gate.set_server_name(text(server));
            ScreenKind::Confirm
        }
        Page::Wiped { text: wiped } => {
            gate.set_starting_text(text(wiped));
            ScreenKind::Wiped
        }
        Page::Ready => ScreenKind::Ready,
        Page::Verdict(verdict) => self::verdict(verdict, gate),
        Page::Fault { sentence, next_step } => {
            gate.set_title("Cannot record".into());
            gate.set_sentence(text(sentence));
            gate.set_next_step(text(next_step));
            gate.set_reason_code("cannot_record".into());
            gate.set_ticket_class(SharedString::new());
            gate.set_count(SharedString::new());
            gate.set_details(model(std::iter::empty::<SharedString>()));
            ScreenKind::CannotRecord
        }
        Page::Conflicts => ScreenKind::Conflicts,
        Page::About => ScreenKind::About,
        Page::Staff(staff) => {
            super::staff::copy(staff, gate);
            ScreenKind::Staff
        }
    }
}

fn verdict(verdict: &Verdict, gate: &Gate<'_>) -> ScreenKind {
    let decision = verdict.recorded().decision();
    gate.set_title(text(verdict.title()));
    gate.set_sentence(text(verdict.sentence()));
    gate.set_next_step(text(verdict.next_step()));
    gate.set_reason_code(text(verdict.reason_code()));
    gate.set_ticket_class(text(verdict.class()));
    gate.set_count(text(verdict.count()));
    gate.set_details(model(verdict.details().iter().map(|line| text(line))));
    gate.set_mark_unlisted(decision.unlisted && verdict.tone() == Tone::Admit);
    gate.set_mark_recovered(verdict.recorded().is_recalled());
    gate.set_mark_flagged(decision.flagged);
    match verdict.tone() {
        Tone::Admit => ScreenKind::Admit,
        Tone::Refuse => ScreenKind::Refuse,
        Tone::Review => ScreenKind::Review,
        Tone::Fault => ScreenKind::CannotRecord,
    }
}

fn notice(notice: &view::Notice) -> Notice {
    Notice {
        severity: match notice.severity {
            view::Severity::Error => Severity::Error,
            view::Severity::Warning => Severity::Warning,
            view::Severity::Info => Severity::Info,
        },
        title: notice.title.into(),
        text: text(&notice.text),
    }
}

fn conflict(named: &NamedConflict) -> Conflict {
    let passage = |(passage, name): (&gate_core::Passage, &crate::core::present::NamedPassage)| {
        let at = if name.way.is_empty() { name.at.clone() } else { format!("{}, {}", name.at, name.way) };
        ConflictAdmission { lane: text(&name.lane), device: passage.device.to_string().into(), at: text(&at) }
    };
    let conflict = &named.conflict;
    Conflict {
        ticket: conflict.ticket.to_string().into(),
        ticket_class: text(&named.class),
        summary: format!("{} guests inside, allowed {}", conflict.most_inside, conflict.allowed).into(),
        admissions: model(std::iter::zip(&conflict.passages, &named.passages).map(passage)),
    }
}

/// Several lines as one text; a single one needs no sign before it.
fn list(lines: &[String]) -> SharedString {
    match lines {
        [only] => text(only),
        lines => lines.iter().map(|line| format!("\u{2022} {line}")).collect::<Vec<_>>().join("\n").into(),
    }
}

fn text(text: &str) -> SharedString {
    SharedString::from(text)
}

fn model<T: Clone + 'static>(items: impl Iterator<Item = T>) -> ModelRc<T> {
    ModelRc::new(VecModel::from_iter(items))
}
