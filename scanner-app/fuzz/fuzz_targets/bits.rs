//! See `bits` in `scanner_app::core::decode::fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| scanner_app::core::decode::fuzz::bits(data));
