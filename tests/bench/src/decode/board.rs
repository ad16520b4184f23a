//! Counts and times of a comparison, and its table.
//!
//! Invariant: within one run every decoder sees every picture, one after another on one thread, in an order that
//! rotates, so that a busy moment of the machine falls on each alike. Times are processor time of that thread.

use super::picture::Picture;
use super::readers::Reader;
use crate::machine;
use crate::report::Samples;

pub struct Board {
    title: String,
    names: Vec<&'static str>,
    rows: Vec<Row>,
    times: Vec<Samples>,
    failures: Vec<String>,
    misreads: Vec<Vec<String>>,
    remarks: Vec<String>,
    pictures: usize,
}

/// Pictures of one kind.
pub struct Row {
    pub group: String,
    pub codes: usize,
    /// Codes read by each decoder.
    pub read: Vec<usize>,
}

impl Board {
    pub fn new(title: impl Into<String>, readers: &[Box<dyn Reader>]) -> Board {
        Board {
            title: title.into(),
            names: readers.iter().map(|reader| reader.name()).collect(),
            rows: Vec::new(),
            times: vec![Samples::default(); readers.len()],
            failures: Vec::new(),
            misreads: vec![Vec::new(); readers.len()],
            remarks: Vec::new(),
            pictures: 0,
        }
    }

    /// Shows a picture to every decoder.
    pub fn show(&mut self, picture: &Picture, readers: &mut [Box<dyn Reader>]) {
        let count = readers.len();
        if self.pictures == 0 {
            // The first call pays for tables and caches that none should be charged for.
            readers.iter_mut().for_each(|reader| drop(reader.read(picture)));
            readers.iter_mut().for_each(|reader| drop(reader.remarks()));
        }
        let at = self.rows.iter().position(|row| row.group == picture.group).unwrap_or_else(|| {
            self.rows.push(Row { group: picture.group.clone(), codes: 0, read: vec![0; count] });
            self.rows.len() - 1
        });
        self.rows[at].codes += picture.codes();
        let mut read = vec![0; count];
        for turn in 0..count {
            let which = (self.pictures + turn) % count;
            let began = machine::thread_time();
            let texts = readers[which].read(picture);
            self.times[which].push(machine::thread_time() - began);
            let judged = picture.judge(&texts);
            read[which] = judged.read;
            let wrong = judged.wrong.iter().map(|text| format!("{}: {}", picture.name, text.escape_ascii()));
            self.misreads[which].extend(wrong);
        }
        self.rows[at].read.iter_mut().zip(&read).for_each(|(sum, read)| *sum += read);
        if read[0] < picture.codes() {
            let better = self.names.iter().zip(&read).skip(1).filter(|(_, count)| **count > read[0]);
            let better: Vec<&str> = better.map(|(name, _)| *name).collect();
            let others = if better.is_empty() { "nobody".to_owned() } else { better.join(", ") };
            self.failures.push(format!("{:<24} read better by {others}", picture.name));
        }
        self.pictures += 1;
    }

    /// Takes what the decoders have to say.
    pub fn close(&mut self, readers: &mut [Box<dyn Reader>]) {
        self.remarks = readers.iter_mut().flat_map(|reader| reader.remarks()).collect();
    }

    pub fn names(&self) -> &[&'static str] {
        &self.names
    }

    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The part of all codes that a decoder read.
    pub fn rate(&self, which: usize) -> f64 {
        let codes: usize = self.rows.iter().map(|row| row.codes).sum();
        let read: usize = self.rows.iter().map(|row| row.read[which]).sum();
        read as f64 / codes.max(1) as f64
    }

    pub fn median_ms(&self, which: usize) -> f64 {
        self.times[which].percentile(50).as_secs_f64() * 1e3
    }

    pub fn misreads(&self, which: usize) -> usize {
        self.misreads[which].len()
    }

    pub fn print(&self, list_failures: bool) {
        println!("\n{}", self.title);
        self.line("", "codes", |which| self.names[which].to_owned());
        for row in &self.rows {
            self.line(&row.group, &row.codes.to_string(), |which| row.read[which].to_string());
        }
        let codes: usize = self.rows.iter().map(|row| row.codes).sum();
        self.line("read", &codes.to_string(), |which| {
            let read: usize = self.rows.iter().map(|row| row.read[which]).sum();
            format!("{read}")
        });
        self.line("read, %", "", |which| format!("{:.1}", self.rate(which) * 100.0));
        self.line("misreads", "", |which| self.misreads[which].len().to_string());
        for (name, percent) in [("median", 50), ("p99", 99), ("worst", 100)] {
            self.line(&format!("processor time, {name}, ms"), "", |which| {
                format!("{:.2}", self.times[which].percentile(percent).as_secs_f64() * 1e3)
            });
        }
        for remark in &self.remarks {
            println!("  - {remark}");
        }
        for (name, misreads) in self.names.iter().zip(&self.misreads) {
            misreads.iter().for_each(|text| println!("  - misread by {name}: {text}"));
        }
        if list_failures {
            println!("  not read by {}:", self.names[0]);
            self.failures.iter().for_each(|failure| println!("    {failure}"));
        }
    }

    fn line(&self, name: &str, codes: &str, cell: impl Fn(usize) -> String) {
        let cells: String = (0..self.names.len()).map(|which| format!("{:>13}", cell(which))).collect();
        println!("  {name:<28}{codes:>7}{cells}");
    }
}
