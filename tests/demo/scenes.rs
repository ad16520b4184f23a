//! The story, scene by scene. Every line that is told was checked first.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use ticket_signer::{Credential, CredentialFields, HolderAlgorithm, SecretKey, TimeStep, UntrustedCode};
use turnstone_tests::browser::{self, Phone};
use turnstone_tests::guest::{Guest, Issued, now_s, random};
use turnstone_tests::office::{self, Office};
use turnstone_tests::process::program;
use turnstone_tests::site::{EVENT, OTHER_EVENT, SEATED, STANDING};

use crate::story::{Story, expect, say, scene};

/// The scan of lane 1 at which it dies between commit and green: the one after all of scene 4.
const CRASH_AT_SCAN: usize = 15;

/// Who came, and what they hold.
struct Guests {
    first: FirstGuest,
    second: Guest,
    revoked: Guest,
    stripped: Guest,
    flipped: Guest,
    crashed: Guest,
    elsewhere: Guest,
    printed_standing: Issued,
    printed_seated: Issued,
    captured: String,
    captured_at_s: i64,
}

/// The first guest has a real browser where one can run.
enum FirstGuest {
    Browser(Box<Phone>),
    Holder(Box<Guest>),
}

impl FirstGuest {
    fn short(&mut self) -> Result<String> {
        match self {
            FirstGuest::Browser(phone) => {
                Ok(phone.code()?["code"].as_str().context("no code on the ticket page")?.to_owned())
            }
            FirstGuest::Holder(guest) => Ok(guest.short()),
        }
    }
}

pub fn tell(story: &mut Story) -> Result<()> {
    let mut office = Office::log_in(&story.site.server, EVENT.0)?;
    let issued = issue(story)?;
    let mut guests = bind(story, &mut office, issued)?;
    enrol(story, &mut office)?;
    let late = cut_off(story, &guests)?;
    lane_one(story, &mut guests, &late)?;
    lane_two(story, &mut guests)?;
    crash(story, &guests)?;
    let ticket = reconcile(story, &mut office)?;
    on_the_page(story, &mut office, &ticket)?;
    figures(story)
}

fn issue(story: &Story) -> Result<Vec<Issued>> {
    let classes = [STANDING, SEATED, STANDING, STANDING, STANDING, STANDING, STANDING, SEATED];
    let issued = story.site.issue(EVENT, "friday-1", &classes)?;
    let again = story.site.issue(EVENT, "friday-1", &classes)?;
    ensure!(issued == again, "the same call with the same key gave other tickets");
    say(format!("{} tickets issued in one call; the same call again gives the same {}", issued.len(), again.len()));
    Ok(issued)
}

fn bind(story: &Story, office: &mut Office, issued: Vec<Issued>) -> Result<Guests> {
    scene(2, "Guests put their tickets on their phones");
    let [a, b, c, d, e, f, printed_standing, printed_seated] =
        <[Issued; 8]>::try_from(issued).map_err(|_| anyhow::anyhow!("eight tickets were to be issued"))?;
    let phones = story.site.server.client()?;
    // The browser must be told which TLS key to believe, as a supervisor's handheld is: by an enrolment code.
    let spki = office::spki(&office.enrolment(story.site.lane_ids[0], "Lane 1", &story.picture("unused.png"))?)?;
    let first = if browser::available() {
        let phone = Phone::bind(&a.link, &spki, &story.picture("ticket-page"))?;
        say("the first guest: a real Chromium opened the link, made its key, and shows the rotating code");
        office.open_page(&spki)?;
        FirstGuest::Browser(Box::new(phone))
    } else {
        say("(no Chromium here: the first guest's phone is the signer's holder, like the others)");
        FirstGuest::Holder(Box::new(Guest::bind(&phones, EVENT, &a, HolderAlgorithm::Ed25519)?))
    };
    let ed25519 = |event, issued: &Issued| Guest::bind(&phones, event, issued, HolderAlgorithm::Ed25519);
    let second = Guest::bind(&phones, EVENT, &b, HolderAlgorithm::P256)?;
    let saturday = story.site.issue(OTHER_EVENT, "saturday-1", &[STANDING])?;
    let elsewhere = ed25519(OTHER_EVENT, saturday.first().context("no ticket for Saturday")?)?;
    let mut guests = Guests {
        first,
        second,
        revoked: ed25519(EVENT, &c)?,
        stripped: ed25519(EVENT, &d)?,
        flipped: ed25519(EVENT, &e)?,
        crashed: ed25519(EVENT, &f)?,
        elsewhere,
        printed_standing,
        printed_seated,
        captured: String::new(),
        captured_at_s: 0,
    };
    say("the others: Ed25519 phones, one P-256 phone, two who print theirs, one with a ticket for Saturday");
    guests.captured = guests.first.short()?;
    guests.captured_at_s = now_s();
    say("somebody photographs the first guest's code, for later");
    Ok(guests)
}

fn enrol(story: &mut Story, office: &mut Office) -> Result<()> {
    scene(3, "Two handhelds enrol; then their line is cut and the server dies");
    let how = if office.has_page() { "the supervisor's page" } else { "the supervisor's API" };
    let crash = format!("after-commit-before-show:{CRASH_AT_SCAN}");
    for at in 0..2 {
        let picture = story.picture(&format!("enrolment-{}.png", at + 1));
        let mut environment = story.display.environment();
        if at == 0 {
            environment.push(("TURNSTONE_CRASH_AT", &crash));
        }
        let devices = story.picture("office-devices.png");
        let lane = &mut story.lanes[at];
        lane.start(&environment)?;
        let code = office.enrolment(story.site.lane_ids[at], &lane.name, &picture)?;
        lane.show(&code)?;
        let pending = lane.event("enrol_pending", |_| true)?;
        let fingerprint = pending["fingerprint"].as_str().context("the handheld shows no fingerprint")?.to_owned();
        office.picture_of_devices(&devices)?;
        office.confirm(&fingerprint)?;
        let ready = lane.event("ready", |event| event["tickets"].as_u64().is_some_and(|count| count >= 8))?;
        say(format!(
            "{} read its QR code from {how}; fingerprint {fingerprint} confirmed; list {} with {} tickets",
            lane.name, ready["list_version"], ready["tickets"]
        ));
    }
    Ok(())
}

/// Revokes a ticket, cuts the lanes off, sells one more, and kills the server. Returns the late guest.
fn cut_off(story: &mut Story, guests: &Guests) -> Result<Guest> {
    let revoked = guests.revoked.ticket();
    let body = serde_json::json!({ "reason": "charge disputed" });
    story.site.back_end.post(&format!("/api/v1/tickets/{revoked}/revoke"), "revoke-1", &body)?.ok()?;
    for lane in &mut story.lanes {
        let list = lane.event("list", |event| event["revoked"].as_u64().is_some_and(|count| count > 0))?;
        say(format!("one ticket revoked; a delta brought it to {} (list {})", lane.name, list["version"]));
    }
    story.site.relay.cut();
    for lane in &mut story.lanes {
        lane.event("reach", |event| event["state"] == "alone")?;
    }
    say("the lanes' way to the server is cut; both lanes say so");
    let late = story.site.issue(EVENT, "friday-late", &[STANDING])?;
    let late =
        Guest::bind(&story.site.server.client()?, EVENT, late.first().context("no ticket")?, HolderAlgorithm::Ed25519)?;
    say("one more ticket is bought and put on a phone; no lane can know of it");
    story.site.server.kill()?;
    say("the server process is killed");
    Ok(late)
}

fn lane_one(story: &mut Story, guests: &mut Guests, late: &Guest) -> Result<()> {
    scene(4, "Lane 1, alone: frames in, verdicts out");
    let pause_after = story_hold_off();
    let verdict = story.scan(0, &guests.first.short()?, "admit", "admitted", "the first guest")?;
    ensure!(verdict["flagged"] == true, "admitted alone under the open rule, and not flagged: {verdict}");
    let admitted_at_s = now_s();
    wait_until(admitted_at_s + pause_after);
    let line = "a fresh code of the same ticket, after the hold-off";
    let verdict = story.scan(0, &guests.first.short()?, "refuse", "used", line)?;
    ensure!(
        verdict["detail"]["lane"] == "Lane 1" && verdict["detail"]["at"].is_string(),
        "no when and where: {verdict}"
    );
    say(format!("  it says when and where: {} at {}", verdict["detail"]["at"], verdict["detail"]["lane"]));
    wait_until(guests.captured_at_s + 4 * TimeStep::SECONDS);
    let age = now_s() - guests.captured_at_s;
    story.scan(0, &guests.captured, "refuse", "stale", &format!("the photographed code, {age} s old"))?;
    let line = "another guest, whose phone has a P-256 key";
    story.scan(0, &guests.second.short(), "admit", "admitted", line)?;
    let printed = &guests.printed_standing.printed;
    story.scan(0, printed, "admit", "admitted", "a printed ticket of the class that may be printed")?;
    let printed = &guests.printed_seated.printed;
    story.scan(0, printed, "refuse", "printed_not_accepted", "a printed ticket of the other class")?;
    story.scan(0, &guests.revoked.short(), "refuse", "revoked", "the revoked ticket")?;
    story.scan(0, &late.short(), "refuse", "unknown", "the ticket bought after the cut, by its short code")?;
    let verdict = story.scan(0, &late.full(), "admit", "admitted", "the same by its full code")?;
    ensure!(verdict["unlisted"] == true, "an unlisted ticket was not marked: {verdict}");
    say("  and marked as unlisted");
    let stripped = guests.stripped.stripped().to_text();
    story.scan(0, &stripped, "refuse", "presentation_missing", "a full code stripped of its moment")?;
    story.scan(0, &guests.elsewhere.full(), "refuse", "wrong_event", "a ticket for Saturday, same issuer")?;
    story.scan(0, &flip(&guests.flipped), "refuse", "bad_signature", "one bit of a signature flipped")?;
    story.scan(0, &forged()?, "refuse", "issuer_untrusted", "a ticket of an issuer the root never certified")?;
    let menu = "https://restaurant.example/menu?table=7";
    story.scan(0, menu, "refuse", "not_a_ticket", "somebody's restaurant menu")?;
    Ok(())
}

/// The policy's hold-off and a second more, in seconds.
fn story_hold_off() -> i64 {
    6
}

/// Lets time pass where that is the story.
#[expect(clippy::disallowed_methods, reason = "a hold-off and a code that grows stale are about time passing")]
fn wait_until(moment_s: i64) {
    while now_s() < moment_s {
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn flip(guest: &Guest) -> String {
    let mut code = guest.short_at(now_s());
    if let UntrustedCode::Short(short) = &mut code {
        short.presentation.signature[20] ^= 1;
    }
    code.to_text()
}

fn forged() -> Result<String> {
    let rogue = SecretKey::from_bytes(&random()?);
    let fields = CredentialFields {
        event: EVENT,
        ticket: ticket_signer::TicketId(7),
        serial: ticket_signer::Serial::FIRST,
        flags: 0,
        class: ticket_signer::ClassId(STANDING),
        valid_from_s: u32::try_from(now_s() - 3600)?,
        valid_until_s: u32::try_from(now_s() + 3600)?,
        holder: None,
    };
    Ok(UntrustedCode::Printed { credential: Box::new(Credential::issue(fields, &rogue)?) }.to_text())
}

fn lane_two(story: &mut Story, guests: &mut Guests) -> Result<()> {
    scene(5, "Lane 2, alone as well");
    let code = guests.first.short()?;
    story.scan(1, &code, "admit", "admitted", "the first guest's ticket again: no lane could know")?;
    Ok(())
}

fn crash(story: &mut Story, guests: &Guests) -> Result<()> {
    scene(6, "Lane 1 dies between commit and green");
    let lane = &mut story.lanes[0];
    let view = lane.show(&guests.crashed.short())?;
    story.shown.push(view);
    let shown = lane.wait_for_crash()?;
    ensure!(shown.is_empty(), "a verdict was shown before the crash: {shown:?}");
    let ticket = guests.crashed.ticket().to_string();
    let rows = journal(story, 0)?;
    let row = rows.last().context("the journal is empty")?;
    ensure!(row["ticket"] == ticket && row["outcome"] == "admit", "the row is not in the journal: {row}");
    say(format!(
        "one more guest [{view}]; killed by SIGKILL; the row is in the journal (number {}), and no verdict was shown",
        row["seq"]
    ));
    let environment = story.display.environment();
    story.lanes[0].start(&environment)?;
    let verdict = story.lanes[0].verdict()?;
    ensure!(verdict["recalled"] == true && verdict["ticket"] == ticket, "not the marked verdict: {verdict}");
    expect(&verdict, "admit", "admitted", "after the restart the verdict appears, marked as recovered")?;
    story.lanes[0].event("ready", |_| true)?;
    let more = story.lanes[0].process()?.drain();
    ensure!(!more.iter().any(|line| line.contains("\"outcome\"")), "it appeared more than once: {more:?}");
    say("  exactly once");
    Ok(())
}

/// A lane's journal as its own command prints it, chain and signatures checked.
fn journal(story: &Story, lane: usize) -> Result<Vec<Value>> {
    let mut command = program("scanner-app")?;
    command.args(["journal", "--json", "--data"]).arg(story.lanes[lane].data()).stderr(Stdio::inherit());
    let printed = turnstone_tests::server::run(command)?;
    let rows = printed.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    Ok(rows.filter(|row| row["seq"].is_u64()).collect())
}

/// Brings everything back, and returns the ticket in conflict.
fn reconcile(story: &mut Story, office: &mut Office) -> Result<String> {
    scene(7, "The server returns, the line is mended, the lanes push");
    story.site.server.start()?;
    story.site.relay.restore();
    let mut expected = BTreeMap::new();
    for at in 0..2 {
        let rows = journal(story, at)?;
        let lane = &mut story.lanes[at];
        let last = rows.last().and_then(|row| row["seq"].as_u64()).context("the journal is empty")?;
        lane.event("receipt", |event| event["seq"].as_u64() >= Some(last))?;
        say(format!("{} holds the cloud's signed receipt for all of its {} scans", lane.name, rows.len()));
        let count = |outcome: &str| rows.iter().filter(|row| row["outcome"] == outcome).count() as u64;
        expected.insert(lane.name.clone(), (count("admit"), count("refuse"), count("review")));
    }
    let snapshot = office.snapshot()?;
    let lanes = snapshot["lanes"].as_array().context("no lanes in the snapshot")?;
    for (name, (admitted, refused, review)) in &expected {
        let lane =
            lanes.iter().find(|lane| lane["lane"] == **name).with_context(|| format!("no {name} in {snapshot}"))?;
        let totals = &lane["totals"];
        ensure!(
            totals["admitted"] == *admitted && totals["refused"] == *refused && totals["review"] == *review,
            "{name} journalled {admitted}/{refused}/{review}, and the server counts {totals}"
        );
    }
    say(format!("the server has each scan once: {expected:?} (admitted, refused, review)"));
    let conflicts = office.conflicts()?;
    ensure!(conflicts.len() == 1, "one conflict was to be found: {conflicts:?}");
    let admissions = conflicts[0]["passages"].as_array().context("a conflict without admissions")?;
    ensure!(admissions.len() == 2, "two admissions were to be named: {conflicts:?}");
    let ticket = conflicts[0]["ticket_id"].as_str().context("a conflict without a ticket")?.to_owned();
    for lane in &mut story.lanes {
        let told = lane.event("conflict", |event| event["ticket"] == *ticket)?;
        let lanes: Vec<&str> = told["passages"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|admission| admission["lane"].as_str())
            .collect();
        ensure!(
            lanes.contains(&"Lane 1") && lanes.contains(&"Lane 2"),
            "{} does not name both lanes: {told}",
            lane.name
        );
        say(format!("{} shows the conflict: {}", lane.name, told["passages"]));
    }
    Ok(ticket)
}

fn on_the_page(story: &Story, office: &mut Office, ticket: &str) -> Result<()> {
    match office.see_conflict(ticket, &story.picture("office-lanes.png"))? {
        Some(_) => say("the supervisor's page shows it, with both lanes and times"),
        None => say("the supervisor's API shows it, with both lanes and times (no Chromium here for the page)"),
    }
    Ok(())
}

fn figures(story: &mut Story) -> Result<()> {
    scene(8, "Figures");
    story.check_views()?;
    let mut all: Vec<u64> = story.lanes.iter().flat_map(|lane| lane.latencies_us()).collect();
    all.sort_unstable();
    ensure!(!all.is_empty(), "no verdict said how long it took");
    let at = |share: usize| all[(all.len() - 1) * share / 100] as f64 / 1000.0;
    let (p50, p99, n) = (at(50), at(99), all.len());
    say(format!("frame to durable verdict: p50 {p50:.1} ms, p99 {p99:.1} ms, n {n} (debug build; see `make bench`)"));
    for (name, folder) in [("server", story.site.server.data()), ("lane 1", story.lanes[0].data())] {
        let mut bytes = 0;
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().contains(".db") {
                bytes += entry.metadata()?.len();
            }
        }
        say(format!("database of the {name}: {:.0} KB", bytes as f64 / 1024.0));
    }
    Ok(())
}
