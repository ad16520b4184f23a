//! What is put before the decoders, and how an answer is judged: luma, and the texts that are right.
//!
//! Invariant: every decoder gets the same pixels, and every decoder's texts are judged by the same rule.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use encoding_rs::SHIFT_JIS;

use crate::gate_frames::Frame;

/// A picture with the texts of the codes in it.
pub struct Picture {
    pub name: String,
    /// The row of the table that it counts in.
    pub group: String,
    pub width: usize,
    pub height: usize,
    pub luma: Vec<u8>,
    pub expected: Vec<Expected>,
    /// Whether any one of the texts is all that is asked.
    pub any: bool,
}

/// A text in every form in which its bytes may come out of a symbol: some decoders hand out the symbol's own bytes, others
/// guess the character set and convert.
pub struct Expected {
    forms: Vec<Vec<u8>>,
}

impl Expected {
    pub fn new(text: &[u8]) -> Expected {
        let mut forms = vec![text.to_vec()];
        match std::str::from_utf8(text) {
            Ok(utf8) => {
                forms.extend(latin1(utf8));
                let (bytes, _, lossy) = SHIFT_JIS.encode(utf8);
                if !lossy {
                    forms.push(bytes.into_owned());
                }
            }
            Err(_) => forms.push(text.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes()),
        }
        Expected { forms }
    }

    /// As a file says it: a newline at its end may belong to the text or to the file.
    fn of_file(text: &[u8]) -> Expected {
        let mut expected = Expected::new(text);
        if let Some(bare) = text.strip_suffix(b"\n") {
            expected.forms.extend(Expected::new(bare).forms);
            expected.forms.extend(bare.strip_suffix(b"\r").into_iter().flat_map(|bare| Expected::new(bare).forms));
        }
        expected
    }

    pub fn matches(&self, text: &[u8]) -> bool {
        self.forms.iter().any(|form| form == text)
    }
}

/// The text in Latin-1, if it can be written so.
fn latin1(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|letter| u8::try_from(u32::from(letter)).ok()).collect()
}

/// What a decoder made of a picture.
pub struct Judgement {
    /// Codes that it read rightly.
    pub read: usize,
    /// Texts that are in no code of the picture.
    pub wrong: Vec<Vec<u8>>,
}

impl Picture {
    pub fn of_frame(frame: Frame, group: String) -> Picture {
        let expected = frame.texts.iter().map(|text| Expected::new(text.as_bytes())).collect();
        Picture {
            name: frame.name,
            group,
            width: frame.width,
            height: frame.height,
            luma: frame.luma,
            expected,
            any: false,
        }
    }

    /// Codes that are asked for.
    pub fn codes(&self) -> usize {
        if self.any { 1 } else { self.expected.len() }
    }

    pub fn judge(&self, texts: &[Vec<u8>]) -> Judgement {
        let found = self.expected.iter().filter(|one| texts.iter().any(|text| one.matches(text))).count();
        let wrong = texts.iter().filter(|text| !self.expected.iter().any(|one| one.matches(text)));
        Judgement { read: found.min(self.codes()), wrong: wrong.cloned().collect() }
    }
}

/// Folders below the photos' own that are looked into.
const DEPTH_MAX: usize = 4;

/// Every photo below `folder` that has its text beside it: `N.txt` beside `N.png` and so on.
pub fn photos(folder: &Path) -> Result<Vec<Picture>> {
    let mut texts = Vec::new();
    collect_texts(folder, DEPTH_MAX, &mut texts)?;
    texts.sort();
    let mut pictures: Vec<Picture> = Vec::new();
    for text in texts {
        let found = ["png", "webp", "jpg", "jpeg", "gif"].iter().map(|kind| text.with_extension(kind));
        let Some(path) = found.into_iter().find(|path| path.exists()) else { continue };
        pictures.push(photo(folder, &path, &text)?);
    }
    if pictures.is_empty() {
        bail!("no photos with texts beside them are in {}: name another folder", folder.display());
    }
    pool_texts(&mut pictures);
    Ok(pictures)
}

fn collect_texts(folder: &Path, depth: usize, texts: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() && depth > 0 {
            collect_texts(&path, depth - 1, texts)?;
        } else if path.extension().is_some_and(|kind| kind == "txt") {
            texts.push(path);
        }
    }
    Ok(())
}

fn photo(folder: &Path, path: &Path, text: &Path) -> Result<Picture> {
    let read = || image::open(path).with_context(|| format!("cannot read the photo {}", path.display()));
    let luma = read()?.into_luma8();
    let expected = fs::read(text).with_context(|| format!("cannot read {}", text.display()))?;
    let below = path.strip_prefix(folder).unwrap_or(path);
    Ok(Picture {
        name: below.display().to_string(),
        group: below.parent().map(|parent| parent.display().to_string()).unwrap_or_default(),
        width: luma.width() as usize,
        height: luma.height() as usize,
        luma: luma.into_raw(),
        expected: vec![Expected::of_file(&expected)],
        any: true,
    })
}

/// Photos of the same folder and number in several collections get each other's texts: where one photo shows two codes,
/// each collection may name another.
fn pool_texts(pictures: &mut [Picture]) {
    let number = |picture: &Picture| {
        let within: PathBuf = Path::new(&picture.name).components().skip(1).collect();
        within.with_extension("")
    };
    let mut forms: HashMap<PathBuf, Vec<Vec<Vec<u8>>>> = HashMap::new();
    for picture in pictures.iter() {
        let texts = picture.expected.iter().map(|text| text.forms.clone());
        forms.entry(number(picture)).or_default().extend(texts);
    }
    for picture in pictures {
        let texts = forms.get(&number(picture)).into_iter().flatten();
        picture.expected = texts.map(|forms| Expected { forms: forms.clone() }).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(expected: &[&str], any: bool) -> Picture {
        let expected = expected.iter().map(|text| Expected::new(text.as_bytes())).collect();
        Picture { name: String::new(), group: String::new(), width: 1, height: 1, luma: vec![0], expected, any }
    }

    #[test]
    fn a_text_may_come_in_either_of_its_encodings() {
        assert!(Expected::new("Zoë".as_bytes()).matches(b"Zo\xEB"));
        assert!(Expected::new(b"Zo\xEB").matches("Zoë".as_bytes()));
        assert!(Expected::new("モ".as_bytes()).matches(&[0x83, 0x82]));
        assert!(!Expected::new(b"T1").matches(b"T2"));
        assert!(Expected::of_file(b"T1\r\n").matches(b"T1") && Expected::of_file(b"T1\r\n").matches(b"T1\r\n"));
        assert!(!Expected::of_file(b"T1").matches(b"T1\n"));
    }

    #[test]
    fn each_code_counts_once_and_other_texts_are_wrong() {
        let several = picture(&["A", "B"], false);
        let judged = several.judge(&[b"A".to_vec(), b"A".to_vec(), b"C".to_vec()]);
        assert_eq!((judged.read, judged.wrong.len(), several.codes()), (1, 1, 2));
        let either = picture(&["A", "B"], true);
        let judged = either.judge(&[b"A".to_vec(), b"B".to_vec()]);
        assert_eq!((judged.read, judged.wrong.len(), either.codes()), (1, 0, 1));
    }
}
