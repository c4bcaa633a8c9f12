//! What every command costs before it does anything, and what a whole release costs: `cargo bench --bench house`.
//!
//! Figures are medians of wall time; beside each stands the same figure of `git --version`, taken in turns in the same
//! run, because milliseconds mean little without knowing the machine.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark runs programs"
)]

#[path = "../tests/it/support/elf.rs"]
mod elf;
#[path = "../tests/it/support/repository.rs"]
#[expect(dead_code, reason = "shared with the tests")]
mod repository;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const KYKLOS: &str = env!("CARGO_BIN_EXE_kyklos-release");

/// How long a program runs.
fn once(program: &str, arguments: &[&str], directory: &Path) -> Duration {
    let started = Instant::now();
    let output = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null())
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    let taken = started.elapsed();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    taken
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1000.0
}

/// Medians of ours and of git, run in turns; one line of the table.
fn row(name: &str, rounds: usize, limit: f64, mut ours: impl FnMut() -> Duration) -> bool {
    let here = Path::new(".");
    let mut times = Vec::new();
    let mut beside = Vec::new();
    for _ in 0..rounds {
        times.push(ours());
        beside.push(once("git", &["--version"], here));
    }
    let (ours, git) = (median(times), median(beside));
    let good = ours <= limit;
    let verdict = if good { "ok" } else { "MISSED" };
    println!("{name:<28} {ours:>9.1} ms   git --version {git:>6.1} ms   limit {limit:>6.0} ms   {verdict}");
    good
}

fn main() {
    let here = Path::new(".");
    let mut good = row("--version", 51, 10.0, || once(KYKLOS, &["--version"], here));
    good &= row("--help", 51, 10.0, || once(KYKLOS, &["--help"], here));
    let repository = repository::Repository::new();
    repository.write("release.yaml", "name: app\nimage:\n  repository: registry.example/acme/app\n");
    repository.write(".gitignore", "bin/\nrehearsal*/\n");
    for number in 0..50 {
        repository.write("src.txt", format!("{number}\n"));
        repository.commit(&format!("feat: change {number}"));
    }
    for architecture in ["amd64", "arm64"] {
        repository.write(&format!("bin/{architecture}"), elf::go(architecture, elf::MODULES));
    }
    let mut number = 0;
    good &= row("rehearse, small repository", 11, 2000.0, || {
        number += 1;
        let out = format!("rehearsal-{number}");
        let binaries = ["--binary", "linux/amd64=bin/amd64", "--binary", "linux/arm64=bin/arm64"];
        once(KYKLOS, &[&["rehearse", "-o", &out], &binaries[..]].concat(), repository.path())
    });
    let target = Path::new(KYKLOS).ancestors().nth(2).unwrap();
    if let Ok(facts) = std::fs::metadata(target.join("dist/kyklos-release")) {
        let fits = facts.len() <= 16 << 20;
        println!("dist binary                  {:>9.1} MiB  limit 16 MiB", facts.len() as f64 / 1_048_576.0);
        good &= fits;
    } else {
        println!("dist binary                  not built: cargo build --profile dist");
    }
    std::process::exit(i32::from(!good));
}
