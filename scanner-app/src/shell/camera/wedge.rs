//! An imager that reads codes by itself and types them: on standard input, a serial line, or a hidraw keyboard.
//!
//! One line is one code. Invariants: no line is longer than `LINE_BYTES_MAX` in memory; spaces are kept, since a code
//! may end in one; what is no text is passed on as bytes and judged where codes are parsed.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use super::SourceEvent;
use super::hid::Keyboard;
use super::mailbox::Mailbox;

/// The longest code is 311 characters, an enrolment code is longer by its address; beyond this a line is noise.
const LINE_BYTES_MAX: usize = 1024;
/// What some imagers put before a QR code's text: `]Q` and a digit, the symbology identifier of ISO/IEC 15424.
const SYMBOLOGY_QR: &[u8] = b"]Q";
/// The pause before a device is opened again.
const RETRY: Duration = Duration::from_secs(1);

/// Cuts typed bytes into lines.
#[derive(Default)]
pub(super) struct Lines {
    line: Vec<u8>,
    /// The line is too long: everything up to its end is dropped.
    overlong: bool,
}

impl Lines {
    /// Takes more bytes; returns the texts they complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut texts = Vec::new();
        for &byte in bytes {
            if byte == b'\r' || byte == b'\n' {
                texts.extend(self.finish());
            } else if self.overlong {
                continue;
            } else if self.line.len() == LINE_BYTES_MAX {
                self.line.clear();
                self.overlong = true;
                tracing::warn!(bytes_max = LINE_BYTES_MAX, "the imager sent a line too long for any code; dropped");
            } else {
                self.line.push(byte);
            }
        }
        texts
    }

    /// Ends the line, as the end of the input does: the text in it, if there is any.
    pub(super) fn finish(&mut self) -> Option<Vec<u8>> {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.overlong) {
            return None;
        }
        let text = trim_control(&line);
        let text = match text.strip_prefix(SYMBOLOGY_QR) {
            Some([b'0'..=b'9', rest @ ..]) => rest,
            _ => text,
        };
        (!text.is_empty()).then(|| text.to_vec())
    }
}

/// Without control characters at either end: imagers frame their texts by STX, ETX, NUL or tab.
fn trim_control(line: &[u8]) -> &[u8] {
    let Some(start) = line.iter().position(|byte| !byte.is_ascii_control()) else { return &[] };
    let end = line.iter().rposition(|byte| !byte.is_ascii_control()).unwrap_or(start);
    &line[start..=end]
}

/// Listens until the input ends or the mailbox is closed. Standard input, a file and a pipe end; a device that ends
/// was unplugged and is opened again.
pub(super) fn listen(path: Option<&Path>, mailbox: &Mailbox) {
    let Some(path) = path else {
        let end = read_all(&mut io::stdin().lock(), None, mailbox, || {});
        if let Err(error) = end {
            tracing::warn!(%error, "standard input cannot be read");
            let message = format!("The imager's input cannot be read ({error}). Start the handheld again.");
            mailbox.tell(SourceEvent::Missing(message));
        }
        return mailbox.end();
    };
    let mut troubled = false;
    while !mailbox.is_closed() {
        let trouble = match open(path) {
            Ok(mut device) => {
                let keyboard = path.to_string_lossy().contains("hidraw").then(Keyboard::default);
                let recovered = || {
                    if std::mem::take(&mut troubled) {
                        mailbox.tell(SourceEvent::Recovered);
                    }
                };
                match read_all(&mut device.file, keyboard, mailbox, recovered) {
                    Ok(()) if !device.may_return => return mailbox.end(),
                    Ok(()) => "it was unplugged".to_owned(),
                    Err(error) => error.to_string(),
                }
            }
            Err(error) => error.to_string(),
        };
        if !std::mem::replace(&mut troubled, true) {
            tracing::warn!(device = %path.display(), trouble, "imager");
            mailbox.tell(SourceEvent::Missing(format!(
                "The imager at {} cannot be read ({trouble}). Plug it in; if it is, add the handheld's user to the \
                 group \"dialout\" (or \"input\"), or choose another device after wedge:",
                path.display()
            )));
        }
        if mailbox.closed_within(RETRY) {
            return;
        }
    }
}

struct Device {
    file: File,
    /// A character device can be plugged in again; a file or a pipe is over when it ends.
    may_return: bool,
}

fn open(path: &Path) -> io::Result<Device> {
    let no_controlling_terminal = rustix::fs::OFlags::NOCTTY.bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(no_controlling_terminal).open(path)?;
    let may_return = file.metadata()?.file_type().is_char_device();
    // A line in its usual mode echoes the code back to the imager and eats some of its characters.
    if let Ok(mut mode) = rustix::termios::tcgetattr(&file) {
        mode.make_raw();
        rustix::termios::tcsetattr(&file, rustix::termios::OptionalActions::Now, &mode)?;
    }
    Ok(Device { file, may_return })
}

/// Passes on every text until the input ends. `opened` is called before the first read.
fn read_all(
    input: &mut dyn Read,
    mut keyboard: Option<Keyboard>,
    mailbox: &Mailbox,
    opened: impl FnOnce(),
) -> io::Result<()> {
    let mut lines = Lines::default();
    let mut buffer = [0; 512];
    opened();
    loop {
        let read = match input.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => &buffer[..count],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let texts = match &mut keyboard {
            Some(keyboard) => lines.push(&keyboard.typed(read)),
            None => lines.push(read),
        };
        for text in texts {
            if !mailbox.put_text(text) {
                return Ok(());
            }
        }
    }
    if let Some(text) = lines.finish() {
        mailbox.put_text(text);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::shell::camera::{Source, SourceSpec, Torch};

    fn texts(input: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Lines::default();
        let mut texts = lines.push(input);
        texts.extend(lines.finish());
        texts
    }

    #[test]
    fn lines_end_by_cr_lf_or_both_and_spaces_stay() {
        let cases: [(&[u8], &[&[u8]]); 8] = [
            (b"T1SA\nT1SB\r\nT1SC\rT1SD", &[b"T1SA", b"T1SB", b"T1SC", b"T1SD"]),
            (b"\r\n\n\r", &[]),
            (b"T1S A \n", &[b"T1S A "]),
            (b" T1\n", &[b" T1"]),
            (b"\x02T1SA\x03\r", &[b"T1SA"]),
            (b"]Q1T1SA\n]Q3\n]QxA\n", &[b"T1SA", b"]QxA"]),
            (b"\x00\x01\x7F\n", &[]),
            (b"\xFF\xFEmenu\n", &[b"\xFF\xFEmenu"]),
        ];
        for (input, expected) in cases {
            assert_eq!(texts(input), expected, "{}", input.escape_ascii());
        }
    }

    #[test]
    fn a_line_too_long_is_dropped_whole_and_the_next_one_read() {
        let mut input = vec![b'A'; LINE_BYTES_MAX];
        assert_eq!(texts(&input)[0].len(), LINE_BYTES_MAX);
        input.push(b'A');
        input.extend(vec![b'B'; 5 * LINE_BYTES_MAX]);
        input.extend(b"\nT1SA\n");
        assert_eq!(texts(&input), [b"T1SA"]);
    }

    proptest! {
        /// However the bytes are cut on their way, the same texts come out, and memory stays bounded.
        #[test]
        fn cuts_do_not_matter(
            input in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b'\r')], 0..4_000),
            cuts in proptest::collection::vec(1usize..700, 1..50),
        ) {
            let mut lines = Lines::default();
            let mut cut = Vec::new();
            let (mut rest, mut cuts) = (&input[..], cuts.into_iter().cycle());
            while !rest.is_empty() {
                let (now, later) = rest.split_at(cuts.next().unwrap_or(1).min(rest.len()));
                cut.extend(lines.push(now));
                prop_assert!(lines.line.len() <= LINE_BYTES_MAX);
                rest = later;
            }
            cut.extend(lines.finish());
            prop_assert_eq!(&cut, &texts(&input));
            prop_assert!(cut.iter().all(|text| !text.is_empty() && text.len() <= LINE_BYTES_MAX));
        }
    }

    #[test]
    fn a_file_is_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("typed");
        std::fs::write(&path, b"T1SA\r\n\xF0junk\nT1SB").unwrap();
        let source = Source::open(&SourceSpec::Wedge(Some(path)), Torch::Auto, std::sync::Arc::new(|| 0))
            .expect("an imager is opened on its own thread, so only a thread can fail here");
        let events: Vec<_> = (0..4).filter_map(|_| source.next(Duration::from_secs(20))).collect();
        let expected = [
            SourceEvent::Text(b"T1SA".to_vec()),
            SourceEvent::Text(b"\xF0junk".to_vec()),
            SourceEvent::Text(b"T1SB".to_vec()),
            SourceEvent::Ended,
        ];
        assert_eq!(events, expected);
    }

    #[test]
    fn a_missing_imager_says_what_to_do() {
        let path = Path::new("/nonexistent/ttyACM0").to_owned();
        let source = Source::open(&SourceSpec::Wedge(Some(path)), Torch::Auto, std::sync::Arc::new(|| 0))
            .expect("an imager is opened on its own thread, so only a thread can fail here");
        match source.next(Duration::from_secs(20)) {
            Some(SourceEvent::Missing(message)) => {
                assert!(message.contains("/nonexistent/ttyACM0") && message.contains("Plug it in"), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
}
