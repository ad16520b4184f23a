//! See `Gate::bytes` in `ticket_signer::fuzz`.
#![no_main]

use std::sync::LazyLock;

use ticket_signer::fuzz::Gate;

static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);

libfuzzer_sys::fuzz_target!(|data: &[u8]| GATE.bytes(data));
