//! What is saved on the second frame of a session: one phone's frames through one decoder.

use anyhow::Result;
use scanner_app::core::decode::Decoder;
use scanner_app::core::decode::luma::LumaView;

use super::verdict;
use crate::gate_frames::{self, Frame};
use crate::machine;
use crate::report::Samples;

/// How many times cheaper a followed frame is to be.
const GOAL: f64 = 3.0;

pub fn run(seed: u64) -> Result<()> {
    let (mut first, mut following, mut alone) = (Samples::default(), Samples::default(), Samples::default());
    let (mut frames, mut read, mut read_alone) = (0, 0, 0);
    for at in 0..gate_frames::SESSIONS {
        let mut decoder = Decoder::default();
        for (step, frame) in gate_frames::session(at, seed)?.iter().enumerate() {
            let times = if step == 0 { &mut first } else { &mut following };
            frames += 1;
            read += usize::from(measure(&mut decoder, frame, times)?);
            let times = &mut alone;
            if step > 0 {
                read_alone += usize::from(measure(&mut Decoder::default(), frame, times)?);
            }
        }
    }
    let ms = |samples: &Samples| samples.percentile(50).as_secs_f64() * 1e3;
    println!("\nTracking: {} sessions of frames that follow each other, one decoder each", gate_frames::SESSIONS);
    println!("  first frame, median                    {:>9.2} ms", ms(&first));
    println!("  following frames, median               {:>9.2} ms ({read} of {frames} read)", ms(&following));
    println!(
        "  following frames, each as if the first {:>9.2} ms ({read_alone} of {} read)",
        ms(&alone),
        frames - gate_frames::SESSIONS
    );
    let cheaper = ms(&alone) / ms(&following).max(1e-6);
    println!("  following frames are {cheaper:.1} times cheaper; goal {GOAL}: {}", verdict(cheaper >= GOAL));
    Ok(())
}

/// Whether the frame's code was read.
fn measure(decoder: &mut Decoder, frame: &Frame, times: &mut Samples) -> Result<bool> {
    let view = LumaView::new(frame.width, frame.height, frame.width, &frame.luma)?;
    let began = machine::thread_time();
    let decoded = decoder.decode(&view, &mut || false);
    times.push(machine::thread_time() - began);
    Ok(decoded.codes.iter().any(|code| frame.texts.iter().any(|text| text.as_bytes() == code.text)))
}
