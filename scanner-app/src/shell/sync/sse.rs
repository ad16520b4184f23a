//! Server-sent events out of a byte stream: bounded, and able to say whether more is at hand without waiting.

use std::io::{self, BufRead, BufReader, Read};

/// The longest event; an admission takes about 2 KB.
const EVENT_BYTES_MAX: usize = 64 << 10;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Event {
    /// The cursor to come back with.
    pub(super) id: Option<u64>,
    pub(super) data: String,
}

/// Reads events one after another.
pub(super) struct Events<R> {
    reader: BufReader<R>,
}

impl<R: Read> Events<R> {
    pub(super) fn new(stream: R) -> Self {
        Events { reader: BufReader::with_capacity(EVENT_BYTES_MAX, stream) }
    }

    /// Whether a whole event lies in the buffer, so that [`next`](Self::next) would not wait.
    pub(super) fn at_hand(&self) -> bool {
        let buffer = self.reader.buffer();
        buffer.windows(2).any(|end| end == b"\n\n") || buffer.windows(4).any(|end| end == b"\r\n\r\n")
    }

    /// The next event that has data; `None` at the stream's end.
    pub(super) fn next(&mut self) -> io::Result<Option<Event>> {
        let mut event = Event::default();
        let mut size = 0;
        loop {
            let mut line = Vec::new();
            let read = self.reader.by_ref().take((EVENT_BYTES_MAX - size) as u64).read_until(b'\n', &mut line)?;
            size += read;
            if read == 0 || size >= EVENT_BYTES_MAX {
                return if size >= EVENT_BYTES_MAX { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(None) };
            }
            let line = String::from_utf8(line).map_err(|_| io::ErrorKind::InvalidData)?;
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() {
                if !event.data.is_empty() {
                    return Ok(Some(event));
                }
                // A comment alone is a sign of life and no event.
                (event, size) = (Event::default(), 0);
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => event.id = value.parse().ok(),
                "data" => event.data.push_str(value),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_cut_at_blank_lines_and_comments_are_none() {
        let text = b": hello\n\nid: 7\nevent: x\ndata: ab\ndata:cd\n\ndata: e\r\n\r\n: dead\n\ndata: cut";
        let mut events = Events::new(&text[..]);
        let first = events.next().unwrap();
        assert_eq!(first, Some(Event { id: Some(7), data: "abcd".to_owned() }));
        assert!(events.at_hand());
        assert_eq!(events.next().unwrap(), Some(Event { id: None, data: "e".to_owned() }));
        assert_eq!(events.next().unwrap(), None, "what is cut off is no event");
        assert!(!events.at_hand());
    }

    #[test]
    fn an_endless_event_is_given_up() {
        let endless = io::repeat(b'x');
        assert_eq!(Events::new(endless).next().unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        let lines = io::Cursor::new(b"data: x\n".repeat(20_000));
        assert_eq!(Events::new(lines).next().unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
