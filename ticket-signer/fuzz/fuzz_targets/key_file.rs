//! See `key_file` in `ticket_signer::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ticket_signer::fuzz::key_file(data));
