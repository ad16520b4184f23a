//! Planted faults are for the simulator: no program that anybody runs has them in it.

use turnstone_tests::process::programs;

use crate::sources::top;

#[test]
fn no_program_can_plant_faults() {
    let source = std::fs::read_to_string(top().join("sync-server/gate-core/src/mutant.rs")).expect("the faults' file");
    let mark = source.split("pub const MARK: &str = \"").nth(1).and_then(|rest| rest.split('"').next());
    let mark = mark.filter(|mark| mark.len() > 10).expect("the mark of a build that can plant faults");
    let folder = programs().expect("where cargo builds to");
    let mut looked_at = 0;
    for name in ["sync-server", "scanner-app", "ticket-signer", "demo"] {
        let Ok(program) = std::fs::read(folder.join(name)) else { continue };
        looked_at += 1;
        let found = program.windows(mark.len()).any(|bytes| bytes == mark.as_bytes());
        assert!(!found, "{name} was built with the feature `mutants`");
    }
    assert!(looked_at >= 3, "the programs are not built; run `make test`, which builds them first");
}

#[test]
fn only_the_simulator_turns_the_faults_on() {
    for manifest in
        ["scanner-app/Cargo.toml", "sync-server/Cargo.toml", "sync-server/gate-core/Cargo.toml", "tests/Cargo.toml"]
    {
        let text = std::fs::read_to_string(top().join(manifest)).expect("a manifest");
        let on = text
            .lines()
            .find(|line| line.contains("mutants") && !line.starts_with("mutants = ") && !line.starts_with('#'));
        assert_eq!(on, None, "{manifest}");
    }
}
