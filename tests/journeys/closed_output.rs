//! Commands whose reader is gone, as behind `| head`: they end quietly.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Result, ensure};
use turnstone_tests::process::program;

#[test]
fn commands_end_quietly_when_nobody_reads_them() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let handheld = folder.path().join("handheld");
    std::fs::create_dir(&handheld)?;
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/0.1.0/gate.db");
    std::fs::copy(fixture, handheld.join("gate.db"))?;
    let commands = [
        "sync-server openapi",
        "sync-server --help",
        "sync-server migrate --data server",
        "sync-server key init --data server",
        "sync-server key list --data server",
        "sync-server check --data server",
        "sync-server backup server/copy.db --data server",
        "sync-server account api-key --name till --data server",
        "ticket-signer keygen root --out root.key",
        "ticket-signer inspect root.key.pub",
        "ticket-signer --help",
        "scanner-app check --data handheld",
        "scanner-app check --json --data handheld",
        "scanner-app --help",
    ];
    for command in commands {
        let mut words = command.split_whitespace();
        let (reader, writer) = std::io::pipe()?;
        drop(reader);
        let mut child = program(words.next().unwrap_or_default())?;
        child.args(words).current_dir(folder.path()).stdin(Stdio::null()).stdout(writer);
        let output = child.output()?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{command}: {} {told}", output.status);
        ensure!(!told.contains("panicked") && !told.contains("roken pipe"), "{command}: {told}");
    }
    Ok(())
}
