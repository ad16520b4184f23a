//! What the camera sees, small, for aiming. A frame is dropped while the window is still busy with the one before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ui::slint::{ComponentHandle as _, Image, Rgb8Pixel, SharedPixelBuffer, Weak};
use ui::{Gate as Global, GateWindow};

use crate::core::decode::luma::LumaView;
use crate::shell::gate::Preview;

/// The longest side of the preview in pixels: enough to aim by, cheap to draw.
const SIDE_PX: usize = 320;

pub(super) fn sender(window: Weak<GateWindow>) -> Preview {
    let pending = Arc::new(AtomicBool::new(false));
    Box::new(move |frame, _| {
        if pending.swap(true, Ordering::SeqCst) {
            return;
        }
        let picture = shrink(frame);
        let pending = Arc::clone(&pending);
        let _ = window.upgrade_in_event_loop(move |window| {
            let gate = window.global::<Global>();
            gate.set_preview(Image::from_rgb8(picture));
            gate.set_has_preview(true);
            pending.store(false, Ordering::SeqCst);
        });
    })
}

fn shrink(frame: &LumaView<'_>) -> SharedPixelBuffer<Rgb8Pixel> {
    let step = frame.width().max(frame.height()).div_ceil(SIDE_PX).max(1);
    let (width, height) = ((frame.width() / step).max(1), (frame.height() / step).max(1));
    let mut buffer = SharedPixelBuffer::<Rgb8Pixel>::new(width as u32, height as u32);
    for (y, row) in buffer.make_mut_slice().chunks_exact_mut(width).enumerate() {
        let luma = frame.row((y * step).min(frame.height() - 1));
        for (pixel, value) in row.iter_mut().zip(luma.iter().step_by(step)) {
            *pixel = Rgb8Pixel { r: *value, g: *value, b: *value };
        }
    }
    buffer
}
