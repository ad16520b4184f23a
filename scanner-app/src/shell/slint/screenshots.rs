//! Pictures of each new screen, for manuals and demos: `001-ready.png`, `002-admit.png`, ...

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use ui::GateWindow;
use ui::slint::{ComponentHandle as _, Rgba8Pixel, SharedPixelBuffer, Timer};

use crate::core::present::Tone;
use crate::core::present::view::{Page, View};

/// Screens flash and fade in; a picture is taken when they stand.
const SETTLE: Duration = Duration::from_millis(600);

pub(super) struct Folder {
    path: PathBuf,
    /// How many pictures there are, and which screen the last one shows.
    last: Mutex<(u32, String)>,
}

impl Folder {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(path)?;
        let there =
            std::fs::read_dir(path)?.flatten().filter(|entry| entry.path().extension().is_some_and(|e| e == "png"));
        let count = u32::try_from(there.count()).unwrap_or(0);
        Ok(Folder { path: path.to_owned(), last: Mutex::new((count, String::new())) })
    }

    /// Takes a picture soon if this is another screen than the last one's.
    pub(super) fn page_changed(&self, window: &GateWindow, view: &View) {
        let name = name(&view.page);
        let key = format!(
            "{name} {}",
            if matches!(view.page, Page::Verdict(_) | Page::Fault { .. }) { view.sequence } else { 0 }
        );
        let Ok(mut last) = self.last.lock() else { return };
        if last.1 == key {
            return;
        }
        *last = (last.0 + 1, key);
        let file = self.path.join(format!("{:03}-{name}.png", last.0));
        let window = window.as_weak();
        Timer::single_shot(SETTLE, move || {
            let Some(window) = window.upgrade() else { return };
            let saved =
                window.window().take_snapshot().map_err(io::Error::other).and_then(|pixels| save(&file, &pixels));
            if let Err(error) = saved {
                tracing::warn!(%error, file = %file.display(), "a picture of the screen was not saved");
            }
        });
    }
}

fn save(file: &Path, pixels: &SharedPixelBuffer<Rgba8Pixel>) -> io::Result<()> {
    let mut encoder = png::Encoder::new(BufWriter::new(File::create(file)?), pixels.width(), pixels.height());
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(io::Error::other)?;
    let bytes: Vec<u8> = pixels.as_slice().iter().flat_map(|pixel| [pixel.r, pixel.g, pixel.b, pixel.a]).collect();
    writer.write_image_data(&bytes).map_err(io::Error::other)?;
    writer.finish().map_err(io::Error::other)
}

fn name(page: &Page) -> &'static str {
    match page {
        Page::Starting { .. } => "starting",
        Page::Enrol { .. } => "enrol",
        Page::Confirm { .. } => "confirm",
        Page::Wiped { .. } => "wiped",
        Page::Ready => "ready",
        Page::Verdict(verdict) => match verdict.tone() {
            Tone::Admit => "admit",
            Tone::Refuse => "refuse",
            Tone::Review => "review",
            Tone::Fault => "cannot-record",
        },
        Page::Fault { .. } => "cannot-record",
        Page::Conflicts => "conflicts",
        Page::About => "about",
        Page::Staff(_) => "staff",
    }
}
