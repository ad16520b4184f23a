//! The handheld's screens, drawn by the software renderer without a display and compared with the pictures in `expected/`.
//!
//! Pictures are compared exactly: Slint's software renderer and the embedded fonts give the same pixels on every machine.
//! A picture that differs is left in `tests/out/screens/`; after looking at it, accept it with `UPDATE_SCREENS=1`.

mod cases;
mod picture;
mod setups;
mod taps;
mod translations;

use i_slint_backend_testing::testing_backend::mock_elapsed_time;
use i_slint_backend_testing::{TestingBackend, TestingBackendOptions};
use ui::slint::{ComponentHandle, PhysicalSize, SharedString, VecModel};
use ui::{Gate, GateWindow};

/// The screen the design was drawn for.
const PORTRAIT: (u32, u32) = (480, 800);

/// A window of its own for the calling thread, with simulated time and real pixels.
fn window(size: (u32, u32)) -> GateWindow {
    let options = TestingBackendOptions { mock_time: true, threading: false, renderer_name: Some("software".into()) };
    ui::slint::platform::set_platform(Box::new(TestingBackend::new(options))).expect("one window a thread");
    let app = GateWindow::new().expect("the testing backend needs no display");
    app.window().set_size(PhysicalSize::new(size.0, size.1));
    app.show().expect("the testing backend shows anything");
    app
}

/// Lets the flash of a new verdict pass, so that pictures show what stays.
fn settle(app: &GateWindow) {
    for _ in 0..10 {
        mock_elapsed_time(100);
    }
    app.window().request_redraw();
}

fn gate(app: &GateWindow) -> Gate<'_> {
    app.global::<Gate>()
}

fn texts(lines: &[&str]) -> ui::slint::ModelRc<SharedString> {
    ui::slint::ModelRc::new(VecModel::from(lines.iter().map(|line| (*line).into()).collect::<Vec<SharedString>>()))
}
