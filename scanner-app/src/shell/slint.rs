//! The window: copies a [`View`] into the screens' properties, and taps into inputs. No rule and no wording of verdicts here.
//!
//! Invariants: only the UI thread touches the window; frames for the preview drop while it is busy; a verdict counts as
//! shown once its properties are set.

mod copy;
mod preview;
mod screenshots;
mod staff;

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ui::slint::{self, ComponentHandle as _};
use ui::{Gate as Global, GateWindow};

use super::gate::{Front, Gate, GateError, Options};
use super::output::Output;
use super::sync::Outlet;
use crate::core::engine::{Input, Overlay};
use crate::core::present::view::{Page, View};

/// Why the window did not open or did not stay.
#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    #[error(transparent)]
    Gate(#[from] GateError),
    #[error("The window cannot be opened ({0}). Start it on a display, or with --headless")]
    Window(#[from] slint::PlatformError),
    #[error("The folder {folder} for pictures cannot be used ({error}). Choose another one after --screenshots")]
    Screenshots { folder: String, error: std::io::Error },
    #[error("The gate's thread ended unexpectedly. Start the handheld again; nothing that was recorded is lost")]
    Thread,
}

/// Shows the window until it is closed or the gate fails.
pub fn run(options: Options, output: Output, screenshots: Option<PathBuf>, lang: &str) -> Result<(), WindowError> {
    let window = GateWindow::new()?;
    if let Err(error) = slint::select_bundled_translation(lang) {
        tracing::warn!(%error, lang, "this language is not in the program; the screens stay English");
    }
    let pictures = match &screenshots {
        None => None,
        Some(folder) => Some(
            screenshots::Folder::open(folder)
                .map_err(|error| WindowError::Screenshots { folder: folder.display().to_string(), error })?,
        ),
    };
    window.global::<Global>().set_version(env!("CARGO_PKG_VERSION").into());
    let weak = window.as_weak();
    let mut way_back = None;
    let gate = Gate::open(options, output, |outlet| {
        way_back = Some(outlet.clone());
        front(weak, outlet, pictures)
    })?;
    if let Some(outlet) = way_back {
        listen(&window, &outlet);
    }
    let thread = std::thread::Builder::new().name("gate".to_owned()).spawn(move || {
        let done = gate.run();
        // The window would show a gate that no longer works.
        let _ = slint::quit_event_loop();
        done
    });
    let thread = thread.map_err(|_| WindowError::Thread)?;
    window.run()?;
    // Closed by a person: the gate's thread ends with the process, and what it acknowledged is on the disk.
    if thread.is_finished() {
        thread.join().map_err(|_| WindowError::Thread)??;
    }
    Ok(())
}

fn front(weak: slint::Weak<GateWindow>, outlet: &Outlet, pictures: Option<screenshots::Folder>) -> Front {
    let outlet = outlet.clone();
    let window = weak.clone();
    let pictures = pictures.map(std::sync::Arc::new);
    let back = outlet.clone();
    let screen = move |view: View| {
        let (back, pictures) = (back.clone(), pictures.clone());
        // Fails only when the event loop has ended, and the process with it.
        let _ = window.upgrade_in_event_loop(move |window| show(&window, &view, &back, pictures.as_deref()));
    };
    #[cfg(feature = "sound")]
    let sound = Some(super::sound::start(outlet));
    #[cfg(not(feature = "sound"))]
    let sound = None;
    Front { screen: Some(Box::new(screen)), preview: Some(preview::sender(weak)), sound }
}

fn show(window: &GateWindow, view: &View, back: &Outlet, pictures: Option<&screenshots::Folder>) {
    copy::copy(view, &window.global::<Global>());
    if let Page::Verdict(verdict) = &view.page {
        back.input(Input::Shown { seq: verdict.recorded().seq() });
    }
    if let Some(pictures) = pictures {
        pictures.page_changed(window, view);
    }
}

/// Keys further apart than this are not one code: imagers type faster than anybody.
const TYPING_PAUSE: Duration = Duration::from_millis(500);
/// The longest code is shorter.
const TYPED_MAX: usize = 1024;

fn listen(window: &GateWindow, outlet: &Outlet) {
    let global = window.global::<Global>();
    let on = |input: fn() -> Input| {
        let outlet = outlet.clone();
        move || outlet.input(input())
    };
    global.on_dismiss(on(|| Input::Dismiss));
    global.on_retry(on(|| Input::Retry));
    global.on_show_about(on(|| Input::Open(Overlay::About)));
    global.on_close_about(on(|| Input::Close));
    global.on_show_conflicts(on(|| Input::Open(Overlay::Conflicts)));
    global.on_close_conflicts(on(|| Input::Close));
    staff::listen(window, outlet);
    let typed = Rc::new(RefCell::new((String::new(), Instant::now())));
    let outlet = outlet.clone();
    global.on_typed(move |text| {
        let mut typed = typed.borrow_mut();
        if typed.1.elapsed() > TYPING_PAUSE {
            typed.0.clear();
        }
        typed.1 = Instant::now();
        for letter in text.chars() {
            match letter {
                '\n' | '\r' if !typed.0.is_empty() => {
                    let code = std::mem::take(&mut typed.0).into_bytes();
                    outlet.input(Input::Seen(vec![code]));
                }
                ' '..='~' if typed.0.len() < TYPED_MAX => typed.0.push(letter),
                _ => {}
            }
        }
    });
}
