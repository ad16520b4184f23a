//! The command as people and scripts run it: whole round trips, file modes, and every documented exit code.

#![allow(clippy::unwrap_used, reason = "a panic in a test is its report")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Unix seconds, within the validity of all that the hall signs.
const NOW: &str = "1790000000";

/// A folder with a root, an authority for each role that the tests need, and their certificates for events 7 to 8.
struct Hall {
    folder: TempDir,
}

impl Hall {
    fn new() -> Self {
        let hall = Hall { folder: TempDir::new().unwrap() };
        hall.ok("keygen root --out root.key");
        for role in ["issue", "list", "policy"] {
            hall.ok(&format!("keygen authority --out {role}.key"));
            hall.certify(role, role, "1789900000");
        }
        hall
    }

    fn certify(&self, key: &str, role: &str, not_before: &str) {
        self.ok(&format!(
            "certify --root root.key --key {key}.key.pub --role {role} --organiser Hall --events 7-8 --not-before \
             {not_before} --days 10 --out {key}.cert"
        ));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Runs the words of `line`; no word has a space in it.
    fn run(&self, line: &str) -> Output {
        self.words(&line.split_whitespace().collect::<Vec<_>>())
    }

    fn words(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ticket-signer"));
        command.args(words).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command
    }

    fn ok(&self, line: &str) -> String {
        said(&self.run(line), 0)
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.ok(&format!("{line} --json"))).unwrap()
    }

    /// Checks `code` with `more` options at [`NOW`]; the exit code and what was said in JSON.
    fn verify(&self, code: &str, more: &str) -> (i32, Value) {
        let fixed =
            format!("--root root.key.pub --certificate issue.cert --certificate list.cert --event 7 --json {more}");
        let at = if more.contains("--at") { vec![] } else { vec!["--at", NOW] };
        let words: Vec<&str> = ["verify", code].into_iter().chain(fixed.split_whitespace()).chain(at).collect();
        let output = self.words(&words);
        (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
    }

    fn refused(&self, code: &str, more: &str) -> String {
        let (exit, value) = self.verify(code, more);
        assert_eq!((exit, &value["result"]), (1, &json!("refused")), "{value}");
        value["reason"].as_str().unwrap().to_owned()
    }

    /// A ticket bound to a fresh phone: PHONE.key and PHONE.cred.
    fn bound_ticket(&self, phone: &str, algorithm: &str) {
        self.ok(&format!("keygen holder --algorithm {algorithm} --out {phone}.key"));
        self.ok(&format!("{ISSUE} --holder {phone}.key.pub --out {phone}.cred"));
    }
}

const ISSUE: &str =
    "issue --key issue.key --event 7 --class 3 --valid-from 2026-09-20T00:00:00Z --valid-until 1790100000";

/// What a run said on standard output, which ended with `exit`.
#[track_caller]
fn said(output: &Output, exit: i32) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(exit), "stdout: {out}\nstderr: {err}");
    out.trim_end().to_owned()
}

fn secret_of(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap().lines().nth(1).unwrap().to_owned()
}

#[test]
fn bound_tickets_go_the_whole_way() {
    let hall = Hall::new();
    for algorithm in ["ed25519", "p256"] {
        hall.bound_ticket(algorithm, algorithm);
        let present = format!("present --key {algorithm}.key --credential {algorithm}.cred --at {NOW}");
        let short = hall.ok(&format!("{present} --challenge 4711"));
        let full = hall.ok(&format!("{present} --full"));
        assert_eq!((short.len(), full.len()), (122, 305));

        let (exit, value) = hall.verify(&short, &format!("--credential {algorithm}.cred"));
        assert_eq!(exit, 0, "{value}");
        assert_eq!(value["result"], "accepted");
        assert_eq!((&value["kind"], &value["class"], &value["challenge"]), (&json!("S"), &json!(3), &json!(4711)));
        let (exit, value) = hall.verify(&full, "");
        assert_eq!(exit, 0, "{value}");
        assert_eq!((&value["kind"], &value["algorithm"]), (&json!("F"), &json!(algorithm)));

        assert_eq!(hall.refused(&full, "--at 1790000060"), "stale");
        assert_eq!(hall.refused(&short, &format!("--credential {algorithm}.cred --at 1789999940")), "early");
        assert_eq!(hall.verify(&full, "--at 1790000060 --freshness 4").0, 0);
        let other = if algorithm == "p256" { "ed25519.cred" } else { continue };
        assert_eq!(hall.refused(&short, &format!("--credential {other}")), "unknown");
    }
}

#[test]
fn printed_tickets_go_the_whole_way() {
    let hall = Hall::new();
    let issued = hall.json(&format!("{ISSUE} --check-entitlement --out paper.cred"));
    let code = hall.ok("present --credential paper.cred");
    assert_eq!(issued["printed_code"], code.as_str());
    let (exit, value) = hall.verify(&code, "");
    assert_eq!((exit, &value["kind"], &value["flags"]), (0, &json!("P"), &json!(1)));
    assert_eq!(said(&hall.run("present --credential paper.cred --full"), 2), "");

    // A bound ticket's credential on paper is not a printed ticket.
    hall.bound_ticket("phone", "ed25519");
    let full = hall.ok(&format!("present --key phone.key --credential phone.cred --full --at {NOW}"));
    let stripped = ticket_signer::code::parse(&full).unwrap();
    let ticket_signer::UntrustedCode::Full { credential, .. } = stripped else { panic!("not a full code") };
    let stripped = ticket_signer::UntrustedCode::Printed { credential }.to_text();
    assert_eq!(hall.refused(&stripped, ""), "presentation_missing");
}

#[test]
fn a_signed_list_vouches_for_short_codes() {
    let hall = Hall::new();
    hall.bound_ticket("ada", "ed25519");
    hall.bound_ticket("bob", "p256");
    hall.bound_ticket("eve", "ed25519");
    let credential = |name: &str| {
        let bytes = std::fs::read(hall.path(&format!("{name}.cred"))).unwrap();
        base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, bytes)
    };
    let list = json!({
        "event": 7, "version": 3, "issued_at": 1_789_999_000, "expires_at": "2026-09-22T00:00:00Z",
        "classes": [{ "class": 3, "name": "Day", "valid_from": 1_789_900_000, "valid_until": 1_790_100_000, "admissions": 1 }],
        "tickets": [
            { "credential": credential("ada") },
            { "credential": credential("bob"), "status": "revoked" },
            { "ticket": "00000000000000ff", "serial": 1, "class": 3 },
        ],
    });
    hall.write("list.json", &list.to_string());
    let made = hall.json("list make --input list.json --key list.key --out lists");
    assert_eq!((&made["tickets"], &made["version"]), (&json!(3), &json!(3)));
    let shown = hall.json("list inspect lists/manifest --chunks lists --tickets");
    assert_eq!(shown["held"], json!({ "tickets": 3, "bound": 2, "revoked": 1 }));
    assert_eq!((&shown["verified"], shown["entries"].as_array().unwrap().len()), (&json!(false), 3));

    let short = |name: &str| hall.ok(&format!("present --key {name}.key --credential {name}.cred --at {NOW}"));
    let listed = "--list lists/manifest --chunks lists";
    assert_eq!(hall.verify(&short("ada"), listed).0, 0);
    assert_eq!(hall.refused(&short("bob"), listed), "revoked");
    assert_eq!(hall.refused(&short("eve"), listed), "unknown");
    assert_eq!(hall.refused(&short("ada"), &format!("{listed} --at 1790100000")), "list_expired");

    // The same list twice is left as it is; one that another role's key signed, or with a changed chunk, is refused.
    assert_eq!(said(&hall.run("list make --input list.json --key list.key --out lists"), 3), "");
    hall.ok("list make --input list.json --key policy.key --out forged");
    assert_eq!(hall.refused(&short("ada"), "--list forged/manifest --chunks forged"), "authority_unknown");
    let chunk = made["chunks"][0]["sha256"].as_str().unwrap();
    let path = hall.path("lists").join(format!("{chunk}.zst"));
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(hall.refused(&short("ada"), listed), "chunk_hash");
}

#[test]
fn a_list_that_gates_would_refuse_is_not_made() {
    let hall = Hall::new();
    let class = json!({ "class": 3, "name": "Day", "valid_from": 1, "valid_until": 2, "admissions": 1 });
    let ticket = json!({ "ticket": "00000000000000ff", "serial": 1, "class": 3 });
    let list = |change: Value| {
        let mut list = json!({ "event": 7, "version": 3, "expires_at": 9, "classes": [class], "tickets": [ticket] });
        list.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        list
    };
    let cases = [
        (json!({ "tickets": [ticket, ticket] }), 3, "named twice"),
        (json!({ "classes": [] }), 3, "`classes` lacks"),
        (json!({ "base": 2 }), 3, "total"),
        (json!({ "base": 3, "total": 1 }), 1, "not above"),
        (json!({ "surprise": 1 }), 3, "unknown field"),
        (json!({ "expires_at": "soon" }), 3, "2026-08-01T18:00:00Z"),
        (json!({ "tickets": [{ "ticket": "ff", "serial": 1, "class": 3 }] }), 3, "16 lower-case hex digits"),
        (json!({ "tickets": [{ "ticket": "00000000000000ff", "serial": 255, "class": 3 }] }), 3, "1 to 254"),
    ];
    for (change, exit, hint) in cases {
        hall.write("list.json", &list(change).to_string());
        let output = hall.run("list make --input list.json --key list.key --out lists");
        said(&output, exit);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains(hint), "{told}");
        assert!(!hall.path("lists/manifest").exists());
    }
}

#[test]
fn many_tickets_are_issued_from_json_lines() {
    let hall = Hall::new();
    hall.ok("keygen holder --algorithm p256 --out phone.key");
    let key = secret_of(&hall.path("phone.key.pub"));
    let lines = format!(
        "{}\n\n{}\n",
        json!({ "ticket": "00000000000000aa", "algorithm": "p256", "holder_key": key, "serial": 2 }),
        json!({ "class": 4, "valid_until": "2026-09-22T00:00:00Z", "check_entitlement": true }),
    );
    hall.write("tickets.jsonl", &lines);
    let out = hall.ok(&format!("{ISSUE} --input tickets.jsonl"));
    let made: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(made.len(), 2);
    assert_eq!((&made[0]["ticket"], &made[0]["serial"]), (&json!("00000000000000aa"), &json!(2)));
    assert_eq!((&made[0]["algorithm"], &made[0]["printed_code"]), (&json!("p256"), &Value::Null));
    assert_eq!(hall.verify(made[1]["printed_code"].as_str().unwrap(), "").0, 0);
    // The credential's text serves as a credential file.
    hall.write("phone.cred", made[0]["credential"].as_str().unwrap());
    let full = hall.ok(&format!("present --key phone.key --credential phone.cred --full --at {NOW}"));
    assert_eq!(hall.verify(&full, "").0, 0);

    for (line, exit, hint) in [
        (r#"{"ticket":"00000000000000aa","serial":2}"#, 3, "line 3: ticket 00000000000000aa serial 2"),
        (r#"{"serial":0}"#, 1, "line 3: serial 0"),
        (r#"{"algorithm":"p256"}"#, 3, "go together"),
        (r#"{"algorithm":"p256","holder_key":"AAAA"}"#, 3, "no public key"),
        (r#"{"valid_until":1}"#, 1, "ends before it begins"),
        ("{", 3, "line 3"),
    ] {
        let first = lines.lines().next().unwrap();
        hall.write("tickets.jsonl", &format!("{first}\n\n{line}\n"));
        let output = hall.run(&format!("{ISSUE} --input tickets.jsonl"));
        assert_eq!(said(&output, exit), "", "nothing is signed unless all is");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains(hint), "{told}");
    }
}

#[test]
fn a_policy_becomes_a_cbor_map_in_an_envelope() {
    let hall = Hall::new();
    let policy = json!({ "event": 7, "version": 2, "issued_at_ms": -1, "partition": "open", "lanes": [{ "lane": 1 }] });
    hall.write("policy.json", &policy.to_string());
    hall.ok("policy --input policy.json --key policy.key --out policy.signed");
    let shown = hall.json("inspect policy.signed");
    assert_eq!((&shown["what"], &shown["content"]), (&json!("signed policy"), &policy));

    let bytes = std::fs::read(hall.path("policy.signed")).unwrap();
    let root =
        ticket_signer::keyfile::read_public(&std::fs::read_to_string(hall.path("root.key.pub")).unwrap()).unwrap();
    let mut trust = ticket_signer::TrustStore::new(root, "Hall");
    trust.add_certificate(&std::fs::read(hall.path("policy.cert")).unwrap()).unwrap();
    let (purpose, event) = (ticket_signer::Purpose::Policy, ticket_signer::EventId(7));
    let payload = ticket_signer::envelope::open(purpose, &bytes, &trust, event, 1_790_000_000).unwrap();
    let map: std::collections::BTreeMap<String, ciborium::Value> = ciborium::from_reader(payload).unwrap();
    assert_eq!(map["partition"], ciborium::Value::Text("open".into()));

    for wrong in [json!([]), json!({ "version": 1 }), json!({ "event": 7, "version": 1, "lanes": 0.5 })] {
        hall.write("wrong.json", &wrong.to_string());
        said(&hall.run("policy --input wrong.json --key policy.key --out wrong.signed"), 3);
    }
}

#[test]
fn keys_are_private_and_never_overwritten() {
    let hall = Hall::new();
    let mode = |name: &str| hall.path(name).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("root.key"), mode("root.key.pub") & 0o600), (0o600, 0o600));
    let before = std::fs::read(hall.path("root.key")).unwrap();
    for out in ["root.key", "issue.key"] {
        let output = hall.run(&format!("keygen root --out {out}"));
        said(&output, 3);
        assert!(String::from_utf8_lossy(&output.stderr).contains("exists already"));
    }
    assert_eq!(std::fs::read(hall.path("root.key")).unwrap(), before);
    // Nor may a public half or a certificate take a key's place.
    hall.write("phone.key.pub", "mine");
    said(&hall.run("keygen holder --out phone.key"), 3);
    assert!(!hall.path("phone.key").exists());
    said(&hall.run(&format!("{ISSUE} --out root.key")), 3);
    said(&hall.run("certify --root root.key --key issue.key.pub --role issue --organiser Hall --events 7 --days 1 --out root.key"), 3);
    assert_eq!(std::fs::read(hall.path("root.key")).unwrap(), before);
}

#[test]
fn secrets_are_not_shown() {
    let hall = Hall::new();
    hall.bound_ticket("phone", "p256");
    for name in ["root.key", "phone.key"] {
        let secret = secret_of(&hall.path(name));
        for line in [format!("inspect {name}"), format!("inspect {name} --json")] {
            let shown = hall.ok(&line);
            assert!(shown.contains("private key") && !shown.contains(&secret), "{shown}");
        }
        // A private key where a public one belongs is named, not quoted.
        let output = hall.run(&format!("verify X --root {name} --certificate issue.cert --event 7"));
        said(&output, 3);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!told.contains(&secret), "{told}");
    }
    let mut permissions = hall.path("root.key").metadata().unwrap().permissions();
    permissions.set_mode(0o644);
    std::fs::set_permissions(hall.path("root.key"), permissions).unwrap();
    let output = hall.run("revoke-key --root root.key --key issue.key.pub --out issue.revocation");
    said(&output, 0);
    assert!(String::from_utf8_lossy(&output.stderr).contains("chmod 600"));
}

#[test]
fn a_key_that_was_taken_back_signs_nothing_more() {
    let hall = Hall::new();
    let code = hall.json(ISSUE)["printed_code"].as_str().unwrap().to_owned();
    assert_eq!(hall.verify(&code, "").0, 0);
    hall.ok("revoke-key --root root.key --key issue.key.pub --out issue.revocation");
    assert_eq!(hall.refused(&code, "--revocation issue.revocation"), "authority_revoked");
    let id = hall.json("inspect issue.key.pub")["key_id"].as_str().unwrap().to_owned();
    let shown = hall.json("inspect issue.revocation");
    assert_eq!((&shown["key_id"], &shown["verified"]), (&json!(id), &json!(false)));
    hall.ok(&format!("revoke-key --root root.key --key-id {id} --at 5 --out again.revocation"));
}

#[test]
fn whom_to_believe_is_asked_of_the_root() {
    let hall = Hall::new();
    let code = hall.json(ISSUE)["printed_code"].as_str().unwrap().to_owned();
    let words = |root: &str, certificate: &str, more: &[&str]| {
        let fixed =
            ["verify", &code, "--root", root, "--certificate", certificate, "--event", "7", "--at", NOW, "--json"];
        let output = hall.words(&[&fixed[..], more].concat());
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code().unwrap(), value["reason"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(words("root.key.pub", "issue.cert", &[]), (0, String::new()));
    hall.ok("keygen root --out other.key");
    assert_eq!(words("other.key.pub", "issue.cert", &[]), (1, "not_from_root".into()));
    assert_eq!(words("root.key.pub", "list.cert", &[]), (1, "authority_unknown".into()));
    assert_eq!(words("root.key.pub", "issue.cert", &["--organiser", "Barn"]), (1, "other_organiser".into()));
    hall.ok("keygen authority --out late.key");
    hall.certify("late", "issue", "1790000001");
    hall.ok(&format!("{ISSUE} --key late.key --out late.cred").replace("--key issue.key ", ""));
    let late = hall.ok("present --credential late.cred");
    let (exit, value) = hall.verify(&late, "--certificate late.cert");
    assert_eq!((exit, &value["reason"]), (1, &json!("authority_not_yet_valid")));
}

#[test]
fn what_a_thing_is_can_be_asked() {
    let hall = Hall::new();
    hall.bound_ticket("phone", "ed25519");
    let full = hall.ok(&format!("present --key phone.key --credential phone.cred --full --at {NOW}"));
    for (what, is) in [
        ("phone.cred", "credential"),
        ("issue.cert", "certificate of an authority's key"),
        ("root.key.pub", "public key"),
        ("root.key", "private key (not shown)"),
        (full.as_str(), "full code"),
    ] {
        let words = |more: &[&str]| said(&hall.words(&[&["inspect", what][..], more].concat()), 0);
        let value: Value = serde_json::from_str(&words(&["--json"])).unwrap();
        assert_eq!((&value["what"], &value["verified"]), (&json!(is), &json!(false)));
        assert!(words(&[]).contains("UNVERIFIED"));
    }
    said(&hall.run("inspect HTTPS://EXAMPLE.ORG/MENU"), 1);
    let mut enrolment = vec![1];
    enrolment.extend([0xAB; 16]);
    enrolment.extend([1; 64]);
    enrolment.extend(b"https://gate.example.org");
    let text = format!("T1E{}", base45::encode(enrolment));
    let shown = said(&hall.words(&["inspect", &text]), 0);
    assert!(shown.contains("https://gate.example.org") && !shown.contains("abab"), "{shown}");
}

/// 0 done, 1 refused, 2 usage, 3 files: as `--help` says.
#[test]
fn exit_codes_are_as_documented() {
    let hall = Hall::new();
    let help = hall.ok("--help");
    for line in ["0  done", "1  refused", "2  the command line", "3  a file"] {
        assert!(help.contains(line), "{help}");
    }
    let code = hall.json(ISSUE)["printed_code"].as_str().unwrap().to_owned();
    let verify = |code: &str, root: &str| {
        hall.words(&["verify", code, "--root", root, "--certificate", "issue.cert", "--event", "7", "--at", NOW])
    };
    said(&verify(&code, "root.key.pub"), 0);
    let output = verify(&code.replace("T1P", "T1X"), "root.key.pub");
    assert_eq!(said(&output, 1), "", "a refusal goes to standard error");
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("refused (not_a_ticket): "));
    said(&verify(&code, "missing.pub"), 3);
    said(&verify(&code, "issue.cert"), 3);
    for usage in [
        "",
        "keygen",
        "keygen root",
        "keygen root --algorithm p256 --out x.key",
        "certify --root root.key --key issue.key.pub --role cook --organiser Hall --events 7 --days 1 --out x",
        "certify --root root.key --key issue.key.pub --role issue --organiser Hall --events 9-7 --days 1 --out x",
        "certify --root root.key --key issue.key.pub --role issue --organiser Hall --events 7 --out x",
        "certify --root root.key --key root.key.pub --role issue --organiser Hall --events 7 --days 1 --out x",
        "revoke-key --root root.key --out x",
        "issue --key issue.key --class 3 --valid-from 1 --valid-until 2",
        "verify T1S --root root.key.pub --event 7",
    ] {
        said(&hall.run(usage), 2);
    }
    hall.bound_ticket("phone", "ed25519");
    said(&hall.run("present --credential phone.cred"), 2);
    let short = hall.ok("present --key phone.key --credential phone.cred");
    let (exit, value) = hall.verify(&short, "");
    assert_eq!((exit, &value["result"], &value["reason"]), (2, &json!("error"), &json!("usage")));
    hall.ok("keygen holder --out other.key");
    said(&hall.run("present --key other.key --credential phone.cred"), 1);
    said(&hall.run("present --key phone.key --credential issue.cert"), 3);
    said(
        &hall.run(
            "certify --root missing.key --key issue.key.pub --role issue --organiser Hall --events 7 --days 1 --out x",
        ),
        3,
    );
    said(
        &hall.run(
            "certify --root root.key --key issue.key.pub --role issue --organiser Hall --events 7 --days 1 --out no/x",
        ),
        3,
    );
    said(&hall.run("certify --root root.key --key issue.key.pub --role issue --organiser Hall --events 7 --not-before 9 --not-after 9 --out x"), 1);
    assert!(!hall.path("x").exists());
}

#[test]
fn options_can_come_from_the_environment_and_codes_from_standard_input() {
    let hall = Hall::new();
    let code = hall.json(ISSUE)["printed_code"].as_str().unwrap().to_owned();
    hall.write("code.txt", &format!("{code}\n"));
    let mut command = hall.command(&["verify", "-", "--certificate", "issue.cert", "--at", NOW]);
    command.env("TURNSTONE_ROOT", "root.key.pub").env("TURNSTONE_EVENT", "7");
    command.stdin(std::fs::File::open(hall.path("code.txt")).unwrap());
    let told = said(&command.output().unwrap(), 0);
    assert!(told.contains("a printed code whose signatures fit"), "{told}");
}
