//! Makes the group `codes`: the text of a code, and all that a gate needs to check it.

use serde_json::{Value, json};
use ticket_signer::{
    Credential, CredentialFields, EventId, HolderKey, HolderSecret, Serial, TicketId, TimeStep, domain,
};

use crate::make_tickets::fields_json;
use crate::world::*;

const FRESHNESS: u32 = 2;

pub fn codes() -> Vec<Value> {
    let mut cases = accepted();
    cases.extend(misspelt());
    cases.extend(malformed());
    cases.extend(refused_by_list());
    cases.extend(refused_by_time());
    cases.extend(refused_by_signature());
    cases.extend(refused_by_issuer());
    cases.extend(refused_by_kind());
    cases
}

/// The gate's list entry for a ticket.
fn entry(fields: &CredentialFields) -> Value {
    let holder = fields.holder.as_ref();
    json!({
        "ticket": fields.ticket.to_string(),
        "serial": fields.serial.get(),
        "class": fields.class.0,
        "status": "active",
        "algorithm": holder.map_or("none", |key: &HolderKey| key.algorithm().name()),
        "holder_key": holder.map(|key| hex(&public_bytes(key))),
    })
}

/// A code at a gate for event 7 that has `entry`, at [`NOW_S`].
fn at_gate(name: &str, about: &str, code: String, entry: Value, expect: Value) -> Value {
    let input = json!({
        "code": code,
        "gate": {
            "event": EVENT,
            "now_s": NOW_S,
            "freshness_steps": FRESHNESS,
            "trust": trust(),
            "entry": entry,
        },
    });
    case(name, about, "code", input, expect)
}

fn at_time(mut case: Value, now_s: i64) -> Value {
    case["gate"]["now_s"] = now_s.into();
    case
}

fn now() -> TimeStep {
    TimeStep::at(NOW_S)
}

fn listed(fields: &CredentialFields, step: TimeStep, challenge: u16) -> Value {
    let holder = fields.holder.as_ref().unwrap();
    accept(json!({
        "kind": "S",
        "event": fields.event.0,
        "ticket": fields.ticket.to_string(),
        "serial": fields.serial.get(),
        "class": fields.class.0,
        "algorithm": holder.algorithm().name(),
        "holder_key": hex(&public_bytes(holder)),
        "issuer": null,
        "flags": null,
        "valid_from_s": null,
        "valid_until_s": null,
        "step": step.0,
        "challenge": challenge,
    }))
}

fn vouched(kind: &str, credential: &Credential, moment: Option<(TimeStep, u16)>) -> Value {
    let mut fields = fields_json(credential);
    fields["kind"] = kind.into();
    fields["step"] = moment.map(|(step, _)| step.0).into();
    fields["challenge"] = moment.map(|(_, challenge)| challenge).into();
    accept(fields)
}

fn short_now(fields: &CredentialFields, secret: &HolderSecret) -> String {
    short(fields, present(fields, now(), 0, secret))
}

fn full_now(fields: &CredentialFields, secret: &HolderSecret) -> String {
    full(&issue(fields.clone()), present(fields, now(), 0, secret))
}

fn accepted() -> Vec<Value> {
    let mut cases = Vec::new();
    for secret in [ed25519(), p256()] {
        let fields = bound_to(&secret);
        let algorithm = secret.public().algorithm().name();
        let credential = issue(fields.clone());
        let asked = present(&fields, now(), 1234, &secret);
        cases.extend([
            at_gate(
                &format!("short_{algorithm}"),
                "The usual code: a listed ticket, now.",
                short_now(&fields, &secret),
                entry(&fields),
                listed(&fields, now(), 0),
            ),
            at_gate(
                &format!("short_{algorithm}_challenge"),
                "The guest has typed the lane's challenge.",
                short(&fields, asked),
                entry(&fields),
                listed(&fields, now(), 1234),
            ),
            at_gate(
                &format!("full_{algorithm}"),
                "A ticket that the list does not have.",
                full_now(&fields, &secret),
                Value::Null,
                vouched("F", &credential, Some((now(), 0))),
            ),
            at_gate(
                &format!("full_{algorithm}_challenge"),
                "The same with a challenge.",
                full(&credential, asked),
                Value::Null,
                vouched("F", &credential, Some((now(), 1234))),
            ),
        ]);
    }
    let paper = issue(printed());
    let flagged = issue(CredentialFields { flags: 1, ..printed() });
    cases.extend([
        at_gate("printed", "On paper.", printed_code(&paper), Value::Null, vouched("P", &paper, None)),
        at_gate(
            "printed_flag",
            "On paper, with an entitlement to check.",
            printed_code(&flagged),
            Value::Null,
            vouched("P", &flagged, None),
        ),
        at_gate(
            "printed_listed",
            "The list is not asked about a code that carries its credential; the gate's rules are.",
            printed_code(&paper),
            entry(&printed()),
            vouched("P", &paper, None),
        ),
    ]);
    cases
}

fn misspelt() -> Vec<Value> {
    let fields = ticket();
    let good = short_now(&fields, &ed25519());
    let full_code = full_now(&fields, &ed25519());
    let paper = printed_code(&issue(printed()));
    let entry = entry(&fields);
    let bad = |name: &str, about: &str, code: String, reason: &str| {
        at_gate(&format!("text_{name}"), about, code, entry.clone(), reject(reason))
    };
    let replaced = |at: usize, with: &str| format!("{}{with}{}", &good[..at], &good[at + with.len()..]);
    // The last pair of a short code as a number, and 256 more: the same byte to a reader that forgets the bound.
    let last = good.len() - 2;
    let pair = base45::decode(&good[last..]).unwrap()[0];
    let digit = |value: u32| char::from(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"[value as usize]);
    let higher = u32::from(pair) + 256;
    let wrapped = format!("{}{}{}", &good[..last], digit(higher % 45), digit(higher / 45));
    vec![
        bad("empty", "Nothing.", String::new(), "not_a_ticket"),
        bad("menu", "A restaurant's menu.", "HTTPS://EXAMPLE.ORG/MENU".into(), "not_a_ticket"),
        bad("prefix_only", "The prefix alone.", "T1".into(), "not_a_ticket"),
        bad("other_version", "T2.", format!("T2{}", &good[2..]), "not_a_ticket"),
        bad("kind_unknown", "There is no kind X.", format!("T1X{}", &good[3..]), "not_a_ticket"),
        bad("kind_enrolment", "An enrolment code is no ticket.", format!("T1E{}", &good[3..]), "not_a_ticket"),
        bad("lower_case_prefix", "t1s.", format!("t1s{}", &good[3..]), "not_a_ticket"),
        bad("leading_space", "A space before it.", format!(" {good}"), "not_a_ticket"),
        bad("byte_order_mark", "A mark before it.", format!("\u{feff}{good}"), "not_a_ticket"),
        bad("lower_case", "In lower case after its prefix.", format!("T1S{}", good[3..].to_lowercase()), "not_base45"),
        bad("body_missing", "The kind alone.", "T1S".into(), "wrong_length"),
        bad("line_end", "A line end after it.", format!("{good}\n"), "not_base45"),
        bad("trailing_space", "A space after it.", format!("{good} "), "not_base45"),
        bad("character_missing", "Its last character is missing.", good[..good.len() - 1].into(), "not_base45"),
        bad("pair_missing", "Its last two are missing.", good[..good.len() - 2].into(), "wrong_length"),
        bad("cut_in_half", "Half of it.", good[..63].into(), "wrong_length"),
        bad("foreign_character", "An underscore.", replaced(20, "_"), "not_base45"),
        bad("unicode", "A letter outside ASCII.", replaced(20, "é"), "not_base45"),
        bad("above_65535", "Three characters above 65535.", replaced(3, ":::"), "not_base45"),
        bad("above_65535_by_one", "65536 in three characters.", replaced(3, "GGW"), "not_base45"),
        bad("pair_above_255", "2024 in the last pair.", replaced(last, "::"), "not_base45"),
        bad("pair_wrapped", "256 more in the last pair.", wrapped, "not_base45"),
        bad("twice", "The code twice.", format!("{good}{good}"), "not_base45"),
        bad("very_long", "Longer than any code.", format!("T1F{}", "0".repeat(400)), "wrong_length"),
        bad("short_as_full", "A short code that says F.", format!("T1F{}", &good[3..]), "wrong_length"),
        bad("full_as_short", "A full code that says S.", format!("T1S{}", &full_code[3..]), "wrong_length"),
        bad("printed_as_full", "A printed code that says F.", format!("T1F{}", &paper[3..]), "wrong_length"),
        bad("full_as_printed", "A full code that says P.", format!("T1P{}", &full_code[3..]), "wrong_length"),
    ]
}

fn malformed() -> Vec<Value> {
    let fields = ticket();
    let short_bytes = unraw(&short_now(&fields, &ed25519()));
    let full_bytes = unraw(&full_now(&fields, &ed25519()));
    let paper = issue(printed()).to_bytes().to_vec();
    let bad = |name: &str, about: &str, code: String, reason: &str| {
        at_gate(&format!("bytes_{name}"), about, code, entry(&ticket()), reject(reason))
    };
    let mut cases = Vec::new();
    for (name, kind, bytes) in [("short", 'S', &short_bytes), ("full", 'F', &full_bytes), ("printed", 'P', &paper)] {
        let fewer = raw(kind, &bytes[..bytes.len() - 1]);
        let more = raw(kind, &[&bytes[..], &[0]].concat());
        cases.push(bad(&format!("{name}_one_fewer"), "A byte is missing.", fewer, "wrong_length"));
        cases.push(bad(&format!("{name}_one_more"), "A byte is too many.", more, "wrong_length"));
    }
    let change = |bytes: &[u8], at: usize, with: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes[at..at + with.len()].copy_from_slice(with);
        bytes
    };
    let patched_full = |at: usize, with: &[u8]| raw('F', &[&patched(ticket(), at, with), &full_bytes[131..]].concat());
    let patched_paper = |at: usize, with: &[u8]| raw('P', &patched(printed(), at, with));
    let over = 10_000u16.to_be_bytes();
    cases.extend([
        bad("short_serial_0", "Serial 0.", raw('S', &change(&short_bytes, 8, &[0])), "serial_out_of_range"),
        bad("short_serial_255", "Serial 255.", raw('S', &change(&short_bytes, 8, &[255])), "serial_out_of_range"),
        bad("short_challenge", "10000.", raw('S', &change(&short_bytes, 13, &over)), "challenge_out_of_range"),
        bad("full_challenge", "10000.", raw('F', &change(&full_bytes, 135, &over)), "challenge_out_of_range"),
        bad("full_challenge_max", "65535.", raw('F', &change(&full_bytes, 135, &[255; 2])), "challenge_out_of_range"),
        bad("full_format", "Format 2.", patched_full(0, &[2]), "unknown_format"),
        bad("full_algorithm", "Algorithm 7.", patched_full(1, &[7]), "unknown_algorithm"),
        bad("full_flag", "A reserved flag.", patched_full(23, &[0x10]), "reserved_flag"),
        bad("full_serial_0", "Serial 0.", patched_full(22, &[0]), "serial_out_of_range"),
        bad("full_validity", "Ends before it begins.", patched_full(30, &[0; 4]), "validity_inverted"),
        bad("full_small_order_key", "A key anybody signs for.", patched_full(34, &[0; 33]), "small_order_key"),
        bad("full_slot_mismatch", "Algorithm P-256, key Ed25519.", patched_full(1, &[2]), "not_a_key"),
        bad("full_non_canonical_key", "y = p + 3.", patched_full(35, &second_encoding(3)), "not_canonical"),
        bad("printed_slot_not_zero", "A printed ticket with half a key.", patched_paper(66, &[1]), "not_canonical"),
        bad("printed_format", "Format 0.", patched_paper(0, &[0]), "unknown_format"),
        bad(
            "printed_validity",
            "Ends as it begins.",
            patched_paper(30, &VALID_FROM_S.to_be_bytes()),
            "validity_inverted",
        ),
    ]);
    cases
}

fn refused_by_list() -> Vec<Value> {
    let fields = ticket();
    let code = short_now(&fields, &ed25519());
    let with = |serial: u8| entry(&CredentialFields { serial: Serial::new(serial).unwrap(), ..ticket() });
    let other_ticket = entry(&CredentialFields { ticket: TicketId(1), ..ticket() });
    let unbound = entry(&CredentialFields { holder: None, ..ticket() });
    let other_key = entry(&bound_to(&p256()));
    let bad = |name: &str, about: &str, entry: Value, reason: &str| {
        at_gate(&format!("list_{name}"), about, code.clone(), entry, reject(reason))
    };
    vec![
        bad("unlisted", "A short code of a ticket that is not listed.", Value::Null, "unknown"),
        bad("other_ticket", "The entry is another ticket's.", other_ticket, "unknown"),
        bad("older_serial", "The list has serial 3, the code 2.", with(3), "retired"),
        bad("newer_serial", "The list has serial 1, the code 2.", with(1), "newer_than_list"),
        bad("not_bound", "Listed as printed: nobody can sign for it.", unbound, "not_bound"),
        bad("other_key", "Listed with another phone's key.", other_key, "bad_signature"),
        at_time(bad("serial_before_time", "Retired and stale: retired is said.", with(3), "retired"), NOW_S + 3600),
    ]
}

fn refused_by_time() -> Vec<Value> {
    let fields = ticket();
    let credential = issue(fields.clone());
    let mut cases = Vec::new();
    for offset in [-1000i64, -3, -2, -1, 1, 2, 3, 1000] {
        let step = TimeStep((i64::from(now().0) + offset) as u32);
        let presentation = present(&fields, step, 0, &ed25519());
        let (word, reason) = if offset < 0 { ("before", "stale") } else { ("after", "early") };
        let name = format!("time_{}_{word}", offset.abs());
        let about = format!("{} step(s) {word} now; {FRESHNESS} are allowed.", offset.abs());
        let (short_expect, full_expect) = if offset.abs() <= i64::from(FRESHNESS) {
            (listed(&fields, step, 0), vouched("F", &credential, Some((step, 0))))
        } else {
            (reject(reason), reject(reason))
        };
        cases.push(at_gate(
            &format!("{name}_short"),
            &about,
            short(&fields, presentation),
            entry(&fields),
            short_expect,
        ));
        cases.push(at_gate(&format!("{name}_full"), &about, full(&credential, presentation), Value::Null, full_expect));
    }
    let code = short_now(&fields, &ed25519());
    let starts = now().starts_at_s();
    let ticks = [
        ("last_fresh_second", starts + 45 - 1, listed(&fields, now(), 0)),
        ("first_stale_second", starts + 45, reject("stale")),
        ("first_fresh_second", starts - 30, listed(&fields, now(), 0)),
        ("last_early_second", starts - 31, reject("early")),
    ];
    for (name, now_s, expect) in ticks {
        let about = "The code's step begins at a multiple of 15 seconds; the gate's clock is elsewhere.";
        cases.push(at_time(at_gate(&format!("time_{name}"), about, code.clone(), entry(&fields), expect), now_s));
    }
    let mut strict =
        at_gate("time_zero_tolerance", "Policy allows no step.", code.clone(), entry(&fields), reject("stale"));
    strict["gate"]["freshness_steps"] = 0.into();
    cases.push(at_time(strict, starts + 15));
    cases
}

fn refused_by_signature() -> Vec<Value> {
    let mut cases = Vec::new();
    let mut bad = |name: String, about: &str, code: String, fields: &CredentialFields| {
        cases.push(at_gate(&name, about, code, entry(fields), reject("bad_signature")));
    };
    for secret in [ed25519(), p256()] {
        let algorithm = secret.public().algorithm().name();
        let fields = bound_to(&secret);
        let bytes = unraw(&short_now(&fields, &secret));
        let parts = [("step", 12 * 8 + 7), ("challenge", 14 * 8 + 7), ("r", 20 * 8), ("s", 78 * 8 + 7)];
        for (part, bit) in parts {
            let about = "One bit was changed, and the text written again.";
            bad(format!("flip_{algorithm}_short_{part}"), about, raw('S', &flip(&bytes, bit)), &fields);
        }
        let full_bytes = unraw(&full_now(&fields, &secret));
        let parts =
            [("class", 25 * 8 + 7), ("issuer_signature", 100 * 8), ("step", 134 * 8 + 7), ("holder_s", 200 * 8 + 7)];
        for (part, bit) in parts {
            let about = "One bit was changed, and the text written again.";
            bad(format!("flip_{algorithm}_full_{part}"), about, raw('F', &flip(&full_bytes, bit)), &fields);
        }
        let message = presentation_message(&fields, now().0, 0)[domain::PRESENTATION.len()..].to_vec();
        let swapped = |signature: &[u8; 64]| raw('S', &[&bytes[..15], signature].concat());
        let signature: [u8; 64] = bytes[15..].try_into().unwrap();
        let wrong = swapped(&secret.sign(domain::BINDING, &message));
        bad(format!("domain_{algorithm}"), "Signed as a binding.", wrong, &fields);
        if algorithm == "p256" {
            bad("high_s_p256".into(), "n - s for s.", swapped(&high_s(&signature)), &fields);
        } else {
            let forged = small_order_r("holder ed25519", domain::PRESENTATION, &message);
            bad("small_order_r_ed25519".into(), "Fits the lax equation only.", swapped(&forged), &fields);
            bad("s_plus_l_ed25519".into(), "S + L for S.", swapped(&s_plus_l(&signature)), &fields);
        }
        let elsewhere = CredentialFields { event: EventId(8), ..fields.clone() };
        let about = "A short code for event 8: the event is signed, not sent.";
        bad(format!("short_other_event_{algorithm}"), about, short_now(&elsewhere, &secret), &fields);
    }
    let fields = ticket();
    let stale = unraw(&short(&fields, present(&fields, TimeStep(1), 0, &ed25519())));
    let about = "Stale and forged: a step that nobody signed says nothing.";
    bad("signature_before_time".into(), about, raw('S', &flip(&stale, 300)), &fields);
    let credential = issue(CredentialFields { serial: Serial::new(3).unwrap(), ..ticket() });
    let older = present(&fields, now(), 0, &ed25519());
    let about = "The credential of serial 3 with a presentation of serial 2.";
    bad("full_presentation_of_other_serial".into(), about, full(&credential, older), &fields);
    let paper = unraw(&printed_code(&issue(printed())));
    bad("flip_printed_ticket".into(), "One bit.", raw('P', &flip(&paper, 21 * 8 + 7)), &fields);
    bad("flip_printed_signature".into(), "One bit.", raw('P', &flip(&paper, 130 * 8)), &fields);
    cases
}

fn refused_by_issuer() -> Vec<Value> {
    let fields = ticket();
    let moment = present(&fields, now(), 0, &ed25519());
    let by = |name: &str| full(&Credential::issue(ticket(), &authority(name)).unwrap(), moment);
    let paper_by = |name: &str| printed_code(&Credential::issue(printed(), &authority(name)).unwrap());
    let for_event = |event: u32| {
        let fields = CredentialFields { event: EventId(event), ..ticket() };
        full_now(&fields, &ed25519())
    };
    let bad = |name: &str, about: &str, code: String, reason: &str| {
        at_gate(&format!("issuer_{name}"), about, code, Value::Null, reject(reason))
    };
    let late = bad("expired_later", "The issuer's certificate has run out.", by("issuer"), "authority_expired");
    let soon = bad("not_yet_before", "It is not valid yet.", by("issuer"), "authority_not_yet_valid");
    vec![
        bad("stranger", "The root never certified this issuer.", by("stranger"), "authority_unknown"),
        bad("stranger_printed", "The same on paper.", paper_by("stranger"), "authority_unknown"),
        bad("root", "The root signs certificates, not tickets.", by("root"), "authority_unknown"),
        bad("list_key", "Certified to sign lists only.", by("list"), "authority_wrong_role"),
        bad("list_key_printed", "The same on paper.", paper_by("list"), "authority_wrong_role"),
        bad("expired", "Its certificate ended this second.", by("expired issuer"), "authority_expired"),
        bad("not_yet_valid", "Its certificate begins next second.", by("early issuer"), "authority_not_yet_valid"),
        bad("revoked", "The root has taken the key back.", by("revoked issuer"), "authority_revoked"),
        bad("revoked_printed", "The same on paper.", paper_by("revoked issuer"), "authority_revoked"),
        at_time(late, i64::from(VALID_UNTIL_S)),
        at_time(soon, i64::from(VALID_FROM_S) - 1),
        bad("other_event", "For event 8, which the issuer may sign too.", for_event(8), "wrong_event"),
        bad("event_not_certified", "For event 9, which it may not.", for_event(9), "authority_wrong_event"),
        bad(
            "other_event_printed",
            "On paper, for event 8.",
            printed_code(&issue(CredentialFields { event: EventId(8), ..printed() })),
            "wrong_event",
        ),
    ]
}

fn refused_by_kind() -> Vec<Value> {
    let bad = |name: &str, about: &str, code: String, reason: &str| {
        at_gate(&format!("kind_{name}"), about, code, entry(&ticket()), reject(reason))
    };
    let moment = present(&printed(), now(), 0, &ed25519());
    vec![
        bad(
            "stripped_ed25519",
            "A full code without its presentation, as a photograph gives it.",
            printed_code(&issue(ticket())),
            "presentation_missing",
        ),
        bad("stripped_p256", "The same, P-256.", printed_code(&issue(bound_to(&p256()))), "presentation_missing"),
        bad(
            "printed_with_presentation",
            "A printed ticket's credential with somebody's presentation.",
            full(&issue(printed()), moment),
            "not_bound",
        ),
    ]
}
