//! Where the handhelds' windows appear: the user's display, a virtual one, or nowhere.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;
use turnstone_tests::process::Process;

/// A display for windows.
pub enum Display {
    /// The user's own.
    Desktop,
    /// A virtual one, for pictures; it ends with the demo.
    Virtual { name: String, _server: Process },
    /// None: the handhelds run without windows.
    None,
}

/// Chooses: `HEADLESS=1` or no `DISPLAY` means a virtual display, if Xvfb is installed.
pub fn find(xvfb: &Path) -> Result<Display> {
    let headless = std::env::var_os("HEADLESS").is_some_and(|value| value == "1");
    if !headless && std::env::var_os("DISPLAY").is_some_and(|display| !display.is_empty()) {
        return Ok(Display::Desktop);
    }
    if !xvfb.metadata().is_ok_and(|file| file.is_file()) {
        println!(
            "(No display and no Xvfb: the handhelds run without their windows, and no pictures of them are made.)"
        );
        return Ok(Display::None);
    }
    let mut command = Command::new(xvfb);
    // With -displayfd the server finds a free number itself and says so once it is ready.
    command.args(["-displayfd", "1", "-screen", "0", "1280x1024x24", "-nolisten", "tcp"]);
    let mut server = Process::start("Xvfb", command, Stdio::null())?;
    let number: u32 = server.wait_for("the display's number", |line| line.trim().parse().ok())?;
    Ok(Display::Virtual { name: format!(":{number}"), _server: server })
}

impl Display {
    pub fn has_windows(&self) -> bool {
        !matches!(self, Display::None)
    }

    /// What to put into a handheld's environment.
    pub fn environment(&self) -> Vec<(&str, &str)> {
        match self {
            Display::Virtual { name, .. } => vec![("DISPLAY", name)],
            Display::Desktop | Display::None => Vec::new(),
        }
    }
}
