//! The ticket page in real Chromium, against the real server: what it shows is what the signer verifies.

use anyhow::{Context as _, Result, ensure};
use turnstone_tests::browser::{self, Phone};
use turnstone_tests::office;
use turnstone_tests::process::program;
use turnstone_tests::site::{EVENT, STANDING};

use crate::open_site;

#[test]
fn the_pages_codes_pass_the_signers_command_and_a_lane() -> Result<()> {
    if !browser::available() {
        eprintln!("SKIPPED: the ticket page in Chromium: no Chromium or no node_modules (run `make test`)");
        return Ok(());
    }
    let (folder, mut site, mut office) = open_site()?;
    let issued = site.issue(EVENT, "batch", &[STANDING])?;
    let picture = folder.path().join("unused.png");
    let spki = office::spki(&office.enrolment(site.lane_ids[0], "Lane 1", &picture)?)?;
    let mut phone = Phone::bind(&issued[0].link, &spki, folder.path())?;
    // Offline from here on: the page goes on by itself.
    let mut lane = site.enrol(&mut office, 0, &[])?;
    site.relay.cut();
    site.server.kill()?;
    let shown = phone.code()?;
    let full = shown["full"].as_str().context("no full code on the page")?;
    let output = verify(&site, full)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let short = shown["code"].as_str().context("no short code on the page")?;
    let verdict = lane.scan(short)?;
    ensure!(verdict["outcome"] == "admit", "{verdict}");
    Ok(())
}

fn verify(site: &turnstone_tests::site::Site, code: &str) -> Result<std::process::Output> {
    let root = site.server.root_key();
    let certificate = root.with_file_name("issue.cert");
    let mut command = program("ticket-signer")?;
    command.args(["verify", code, "--event", &EVENT.to_string(), "--root"]).arg(root.with_extension("key.pub"));
    command.arg("--certificate").arg(certificate);
    Ok(command.output()?)
}
