//! See `list` in `ticket_signer::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ticket_signer::fuzz::list(data));
