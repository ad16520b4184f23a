//! What is done for symbols that do not read as they lie. One remedy a file.

pub(super) mod equalise;
pub(super) mod straighten;
pub(super) mod vote;
pub(super) mod warp;
