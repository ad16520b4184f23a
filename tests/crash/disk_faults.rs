//! A full disk, and databases that are damaged, foreign or too new, under real processes: a clear word, nothing lost,
//! nothing changed.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use turnstone_tests::guest::now_s;
use turnstone_tests::office::Office;
use turnstone_tests::process::{PATIENCE, program};
use turnstone_tests::server::{Server, run};
use turnstone_tests::site::{EVENT, Site};

use crate::handheld::Handheld;
use crate::world::World;

/// A disk of 4 MB; taken away with this.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None`, and a loud word, where this user may not mount one.
    fn mount(at: &Path) -> Result<Option<Self>> {
        std::fs::create_dir_all(at)?;
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", "size=4m", "turnstone-small"]).arg(at);
        match command.stderr(Stdio::null()).status() {
            Ok(status) if status.success() => Ok(Some(SmallDisk(at.to_path_buf()))),
            _ => {
                eprintln!("SKIPPED: a full disk: mounting a tmpfs of 4 MB takes root");
                Ok(None)
            }
        }
    }

    /// Writes until there is no room for one byte more.
    fn fill(&self) -> Result<()> {
        let mut file = File::create(self.filler())?;
        for size in [65_536, 1_024, 1] {
            let block = vec![7; size];
            while file.write_all(&block).is_ok() {}
        }
        Ok(())
    }

    fn filler(&self) -> PathBuf {
        self.0.join("somebody-elses-pictures")
    }

    fn free(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.filler())?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn on_a_full_disk_nobody_is_admitted_nothing_is_lost_and_space_mends_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let Some(disk) = SmallDisk::mount(&folder.path().join("disk"))? else { return Ok(()) };
    let world = World::new(now_s())?;
    let data = folder.path().join("disk/data");
    world.install(&data)?;
    let mut handheld = Handheld::new(&data, &folder.path().join("handheld.log"));
    handheld.start(None)?;
    handheld.event("ready")?;
    let verdict = handheld.scan(&world.short(world.ticket(0), now_s())?)?;
    ensure!(verdict["outcome"] == "admit", "{verdict}");
    disk.fill()?;
    // There is room in the log's last page for some.
    let mut menu = 0;
    let full = loop {
        menu += 1;
        ensure!(menu < 500, "the disk is full and scans are still recorded");
        let said = handheld.scan(&format!("https://example.com/menu/{menu}"))?;
        if said["event"] == "cannot_record" {
            break said;
        }
    };
    let message = full["message"].as_str().context("a message")?;
    ensure!(message.contains("full") && message.contains("Free some space"), "{message}");
    for ticket in 1..4 {
        let said = handheld.scan(&world.short(world.ticket(ticket), now_s())?)?;
        ensure!(said["event"] == "cannot_record", "admitted without a record: {said}");
    }
    // A restart does not help, and says so or goes on saying so.
    handheld.kill()?;
    let output = refused_start(&handheld)?;
    if let Some(output) = output {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(said.contains("full") || said.contains("storage"), "{said}");
        ensure!(!said.contains("panicked"), "{said}");
    }
    disk.free()?;
    handheld.start(None)?;
    handheld.event("ready")?;
    for ticket in 1..4 {
        let verdict = handheld.scan(&world.full(world.ticket(ticket), 2, now_s())?)?;
        ensure!(verdict["outcome"] == "admit", "{verdict}");
    }
    // And without a restart.
    disk.fill()?;
    while handheld.scan(&format!("https://example.com/again/{menu}"))?["event"] != "cannot_record" {
        menu += 1;
    }
    disk.free()?;
    let verdict = handheld.scan(&world.short(world.ticket(5), now_s())?)?;
    ensure!(verdict["outcome"] == "admit", "{verdict}");
    ensure!(handheld.lines.iter().any(|line| line["event"] == "mended"), "the trouble is said to be over");
    handheld.kill()?;
    let rows = handheld.check_verdicts()?;
    let admitted = rows.iter().filter(|row| row["outcome"] == "admit").count();
    ensure!(admitted == 5, "five guests were let in, and {admitted} rows say so");
    Ok(())
}

#[test]
fn a_receipt_that_cannot_be_kept_is_asked_for_again() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let Some(disk) = SmallDisk::mount(&folder.path().join("disk"))? else { return Ok(()) };
    let site = Site::open(folder.path())?;
    let mut office = Office::log_in(&site.server, EVENT.0)?;
    let mut handheld = Handheld::new(&folder.path().join("disk/data"), &folder.path().join("handheld.log"));
    handheld.enrol(&site, &mut office, 0)?;
    if !handheld.lines.iter().any(|line| line["state"] == "server") {
        handheld.wait_for("the server's word", |line| (line["state"] == "server").then_some(()))?;
    }
    site.relay.cut();
    let mut menu = 0;
    let mut scan = |handheld: &mut Handheld| {
        menu += 1;
        handheld.scan(&format!("https://example.com/menu/{menu}"))
    };
    scan(&mut handheld)?;
    let threads = handheld.threads()?;
    disk.fill()?;
    while scan(&mut handheld)?["event"] != "cannot_record" {}
    site.relay.restore();
    // Each failure to keep a receipt begins the talk anew.
    handheld.listen(Duration::from_secs(6));
    // A talk under way has threads of its own for a moment; one that was left behind stays.
    let until = Instant::now() + PATIENCE;
    while handheld.threads()? > threads + 1 {
        ensure!(Instant::now() < until, "threads pile up: {} after {threads}", handheld.threads()?);
        handheld.listen(Duration::from_millis(100));
    }
    disk.free()?;
    let (rows, _) = handheld.journal()?;
    handheld.wait_for("the receipt", |line| (line["seq"] == rows.len() && line["event"] == "receipt").then_some(()))?;
    handheld.kill()?;
    handheld.check_verdicts()?;
    Ok(())
}

/// Starts it with nothing typed: ends by itself at the end of its input. `None` if it came up.
fn refused_start(handheld: &Handheld) -> Result<Option<Output>> {
    let output = handheld.command()?.stdin(Stdio::null()).output()?;
    Ok((!output.status.success()).then_some(output))
}

/// Every file of a folder with its bytes, but the index beside the log, which is only a cache.
fn snapshot(folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_file() && !path.to_string_lossy().ends_with("-shm") {
            files.push((path.clone(), std::fs::read(&path)?));
        }
    }
    files.sort();
    Ok(files)
}

/// What a database can be spoilt by, and a word that the message must have.
fn spoil(database: &Path, how: &str) -> Result<()> {
    match how {
        "newer" => {
            let connection = rusqlite::Connection::open(database)?;
            let tables: Vec<String> = connection
                .prepare("SELECT name FROM sqlite_schema WHERE name = 'schema_migrations'")?
                .query_map([], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            if tables.is_empty() {
                connection.pragma_update(None, "user_version", 99)?;
            } else {
                connection.execute(
                    "INSERT INTO schema_migrations (number, name, sha256, applied_at_ms) VALUES (9999, 'x', x'00', 0)",
                    [],
                )?;
            }
        }
        "foreign" => {
            std::fs::remove_file(database)?;
            rusqlite::Connection::open(database)?.execute_batch("CREATE TABLE songs (title TEXT)")?;
        }
        "no database" => std::fs::write(database, [0x5a; 8192])?,
        _ => {
            let mut bytes = std::fs::read(database)?;
            let end = bytes.len().min(4096 * 12);
            bytes[4096..end].fill(0x5a);
            std::fs::write(database, bytes)?;
        }
    }
    Ok(())
}

fn refuses(what: &str, how: &str, word: &str, folder: &Path, command: Command) -> Result<()> {
    let before = snapshot(folder)?;
    let mut command = command;
    let output = command.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.code().is_some_and(|code| code != 0), "{what}, {how}: {:?} {said}", output.status);
    ensure!(said.contains(word) && !said.contains("panicked"), "{what}, {how}: {said}");
    ensure!(snapshot(folder)? == before, "{what}, {how}: a file was changed");
    Ok(())
}

const SPOILT: [(&str, &str); 4] =
    [("newer", "newer version"), ("foreign", "not a"), ("no database", "amaged"), ("damaged", "damaged")];

#[test]
fn a_handheld_leaves_a_spoilt_database_alone() -> Result<()> {
    let world = World::new(now_s())?;
    for (how, word) in SPOILT {
        let folder = tempfile::tempdir()?;
        world.install(folder.path())?;
        spoil(&folder.path().join("gate.db"), how)?;
        let handheld = Handheld::new(folder.path(), Path::new("/dev/null"));
        refuses("handheld", how, word, folder.path(), handheld.command()?)?;
    }
    Ok(())
}

#[test]
fn a_server_leaves_a_spoilt_database_alone() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let server = Server::prepare(folder.path())?;
    let database = std::fs::read_dir(server.data())?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension().is_some_and(|ending| ending == "db"))
        .context("the server's database")?;
    for (how, word) in SPOILT {
        let copy = tempfile::tempdir()?;
        let data = copy.path().join("server");
        let mut command = Command::new("cp");
        command.arg("-a").arg(server.data()).arg(&data);
        run(command)?;
        let database = data.join(database.file_name().context("a file name")?);
        spoil(&database, how)?;
        let mut command = program("sync-server")?;
        command.arg("serve").arg("--data").arg(&data).args(["--listen", "127.0.0.1:0"]);
        command.args(["--public-url", "https://localhost:1"]);
        refuses("server", how, word, &data, command)?;
    }
    Ok(())
}
