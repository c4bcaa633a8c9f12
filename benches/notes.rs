//! What notes cost, as ratios to `git log` of the same history in the same run.
//!
//! ```sh
//! cargo bench --bench notes                                # histories that are made: 31,000 to 100,000 commits
//! cargo bench --bench notes -- ~/src/nuxt ~/src/renovate,plain
//! KYKLOS_BENCH_CLIFF=~/bin/v2.12.0/git-cliff:~/bin/v2.13.1/git-cliff cargo bench --bench notes
//! cargo bench --profile dist --bench notes                 # as it is shipped
//! ```
//!
//! Repositories are named as arguments, or in `KYKLOS_BENCH_REPOSITORIES` separated by `:`; only git is needed, and they
//! are only read. Their tags are read as `v{version}`, or as `{version}` after `,plain`. `KYKLOS_BENCH_CLIFF` names
//! git-cliff executables, separated by `:`, that must be slower and take more memory; one that takes longer than
//! two minutes is stopped as soon as the answer is certain. In a path with `electron` in it more is asked.
//! Figures are medians of CPU time (user and system) and the greatest resident memory of the child, each with its goal
//! behind it; a goal that is missed ends the program with 1.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark runs programs"
)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use kyklos_release::format::conventional;
use wait4::Wait4 as _;

const KYKLOS: &str = env!("CARGO_BIN_EXE_kyklos-release");
const ROUNDS: usize = 5;
/// What `git log` prints of each commit: what notes are made of.
const FIELDS: &str = "--format=%H%x00%an%x00%ae%x00%at%x00%ct%x00%P%x00%B";

/// Seconds of CPU time that another program gets at least.
const PATIENCE: u32 = 120;

/// One run of a program.
#[derive(Clone, Copy)]
struct Cost {
    cpu: f64,
    wall: f64,
    /// KiB.
    memory: u64,
}

fn once(program: &Path, directory: &Path, arguments: &[String]) -> Cost {
    let (cost, ended) = tried(program, directory, arguments);
    assert!(ended, "{} {arguments:?}", program.display());
    cost
}

/// What a program costs, and whether it came to a good end.
fn tried(program: &Path, directory: &Path, arguments: &[String]) -> (Cost, bool) {
    let started = Instant::now();
    let child = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let used = child.wait4().unwrap();
    let cpu = used.rusage.utime + used.rusage.stime;
    let cost = Cost {
        cpu: cpu.as_secs_f64() * 1e3,
        wall: started.elapsed().as_secs_f64() * 1e3,
        memory: used.rusage.maxrss / 1024,
    };
    (cost, used.status.success())
}

/// Medians of programs that run in turns, so that what else the machine does meets all of them.
fn medians(directory: &Path, programs: &[(&Path, Vec<String>)]) -> Vec<Cost> {
    let mut costs: Vec<Vec<Cost>> = vec![Vec::new(); programs.len()];
    for _ in 0..ROUNDS {
        for (costs, (program, arguments)) in costs.iter_mut().zip(programs) {
            costs.push(once(program, directory, arguments));
        }
    }
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let of = |costs: Vec<Cost>| Cost {
        cpu: median(costs.iter().map(|cost| cost.cpu).collect()),
        wall: median(costs.iter().map(|cost| cost.wall).collect()),
        memory: costs.iter().map(|cost| cost.memory).max().unwrap_or(0),
    };
    costs.into_iter().map(of).collect()
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn told(name: &str, value: f64, unit: &str, limit: f64) -> bool {
    let good = value <= limit;
    println!(
        "  {name:<44} {value:>9.2} {unit:<3} limit {limit:>8.2}   {}",
        if good { "ok" } else { "MISSED" }
    );
    good
}

fn repository(path: &Path, plain: bool, cliffs: &[PathBuf]) -> bool {
    let scratch = tempfile::tempdir().unwrap();
    let config = scratch.path().join("release.yaml");
    std::fs::write(&config, if plain { "name: bench\ntag: '{version}'\n" } else { "name: bench\n" }).unwrap();
    let git = |line: &str| {
        let output = Command::new("git").args(line.split_whitespace()).current_dir(path).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let tags = git("tag").lines().count();
    let commits: usize = git("rev-list --count HEAD").trim().parse().unwrap();
    println!("{}: {commits} commits, {tags} tags", path.display());
    let ours = |line: &str| {
        let mut arguments = words(line);
        arguments.extend(["--config".to_owned(), config.display().to_string()]);
        (Path::new(KYKLOS), arguments)
    };
    let log = |more: &[&str]| {
        let mut arguments = words("log");
        arguments.push(FIELDS.to_owned());
        arguments.extend(more.iter().map(|word| (*word).to_owned()));
        (Path::new("git"), arguments)
    };
    let costs = medians(
        path,
        &[
            log(&[]),
            ours("notes generate --all --format json"),
            ours("notes generate --all"),
            ours("notes generate --latest"),
        ],
    );
    let [base, json, markdown, latest] = costs.as_slice() else { return false };
    println!("  git log: {:.0} ms, {} MiB", base.cpu, base.memory / 1024);
    let mut good = told("all as JSON / git log, CPU", json.cpu / base.cpu, "x", 1.5);
    let limit = if tags > 10_000 { 3.0 } else { 2.0 };
    good &= told("all as Markdown / git log, CPU", markdown.cpu / base.cpu, "x", limit);
    #[expect(clippy::cast_precision_loss, reason = "kibibytes")]
    let memory = |cost: &Cost| cost.memory as f64 / base.memory as f64;
    good &= told("all as JSON / git log, memory", memory(json), "x", 1.6);
    good &= told("all as Markdown / git log, memory", memory(markdown), "x", 1.6);
    // 60 ms are for 31,000 commits and 2,000 tags.
    let limit = if tags > 10_000 || commits > 50_000 { 100.0 } else { 60.0 };
    good &= told("latest release, CPU", latest.cpu, "ms", limit);
    // The directory with the most files.
    let directory = busiest(&git("ls-tree -r --name-only HEAD"));
    let filtered = format!("notes generate --all --format json --include-path {directory}");
    let costs = medians(path, &[log(&["--", &directory]), ours(&filtered)]);
    good &= told(&format!("only {directory} / git log --, CPU"), costs[1].cpu / costs[0].cpu, "x", 3.0);
    for cliff in cliffs {
        good &= against(path, cliff, plain, markdown);
    }
    good
}

/// A whole changelog by git-cliff, once when it takes long, and no longer than is needed to know.
fn against(path: &Path, cliff: &Path, plain: bool, ours: &Cost) -> bool {
    let scratch = tempfile::tempdir().unwrap();
    let config = scratch.path().join("cliff.toml");
    let pattern = if plain { "^[0-9]" } else { "^v[0-9]" };
    std::fs::write(&config, format!("[git]\ntag_pattern = \"{pattern}\"\n[remote]\noffline = true\n"))
        .unwrap();
    let line = format!("--offline --config {} --output /dev/null", config.display());
    // Executables lie in a directory that is called like the version, or in one below it.
    let names = cliff.ancestors().skip(1).take(2).filter_map(Path::file_name);
    let mut names = names.map(|name| name.to_string_lossy().into_owned());
    let version = names.find(|name| name.contains("2.")).unwrap_or_default();
    let electron = path.components().any(|part| part.as_os_str().to_string_lossy().contains("electron"));
    let limit = match (electron, version.contains("2.12."), version.contains("2.14.")) {
        (true, true, _) => 1.0 / 4.0,
        (true, _, true) => 1.0 / 500.0,
        _ => 1.0,
    };
    // It is stopped when the answer is certain.
    let patience = f64::from(PATIENCE).max(ours.cpu / 1e3 / limit + 1.0).ceil();
    let limited = format!("ulimit -t {patience}; exec \"$0\" \"$@\"");
    let shell = ["-c".to_owned(), limited, cliff.display().to_string()];
    let arguments: Vec<String> = shell.into_iter().chain(words(&line)).collect();
    let (first, ended) = tried(Path::new("sh"), path, &arguments);
    if !ended && first.cpu < (patience - 10.0) * 1e3 {
        println!("  {} fails here", cliff.display());
        return true;
    }
    if !ended {
        println!("  {} is stopped after {:.0} s", cliff.display(), first.cpu / 1e3);
    }
    let cost = if first.cpu > 5000.0 { first } else { medians(path, &[(Path::new("sh"), arguments)])[0] };
    let mut good = told(&format!("ours / git-cliff {version}, CPU"), ours.cpu / cost.cpu, "x", limit);
    if ended {
        #[expect(clippy::cast_precision_loss, reason = "kibibytes")]
        let memory = ours.memory as f64 / cost.memory as f64;
        good &= told(&format!("ours / git-cliff {version}, memory"), memory, "x", 0.4);
    }
    good
}

fn busiest(files: &str) -> String {
    let mut counts = std::collections::BTreeMap::<&str, usize>::new();
    for (directory, _) in files.lines().filter_map(|path| path.split_once('/')) {
        *counts.entry(directory).or_default() += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map_or("src", |(directory, _)| directory).to_owned()
}

/// A history of merges and releases, as `git fast-import` reads it. Every `stable`th release is a stable one.
fn made(directory: &Path, commits: usize, tags: usize, stable: usize, message: &dyn Fn(usize) -> String) {
    let git = |arguments: &[&str]| {
        assert!(Command::new("git").args(arguments).current_dir(directory).status().unwrap().success());
    };
    git(&["init", "--quiet", "--initial-branch=main"]);
    let mut child = Command::new("git")
        .args(["fast-import", "--quiet", "--done"])
        .current_dir(directory)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = std::io::BufWriter::new(child.stdin.take().unwrap());
    for at in 1..=commits {
        let text = message(at);
        let person = at % 40;
        write!(
            input,
            "commit refs/heads/main\nmark :{at}\ncommitter P{person} <p{person}@example.com> {} +0000\n",
            1_500_000_000 + at * 600
        )
        .unwrap();
        write!(input, "data {}\n{text}\n", text.len()).unwrap();
        // Every tenth commit merges a side line of two.
        if at % 10 == 0 && at > 10 {
            writeln!(input, "merge :{}", at - 3).unwrap();
        }
        write!(input, "M 100644 inline src/d{}/f{}\ndata 8\n{at:08}\n", at % 30, at % 300).unwrap();
    }
    for tag in 1..=tags {
        let (release, candidate) = (tag.div_ceil(stable), tag % stable);
        let (minor, patch) = (release / 20, release % 20);
        let label = if candidate == 0 { String::new() } else { format!("-rc.{candidate}") };
        let from = commits * tag / (tags + 1) + 1;
        write!(input, "reset refs/tags/v1.{minor}.{patch}{label}\nfrom :{from}\n\n").unwrap();
    }
    input.write_all(b"done\n").unwrap();
    drop(input);
    assert!(child.wait().unwrap().success());
    git(&["pack-refs", "--all"]);
}

fn ordinary(at: usize) -> String {
    let kind = ["feat", "fix", "docs", "chore", "refactor", "build"][at % 6];
    format!(
        "{kind}(part{}): change number {at} (#{at})\n\nWhy it is done, in a line or two that nobody reads\nafter the first day.\n\nCloses #{}\nSigned-off-by: P <p@example.com>\n",
        at % 50,
        at / 2
    )
}

/// A message as those of git itself: a part of the program and no type, a long body that names commits, and trailers.
fn long(at: usize) -> String {
    let id = at.wrapping_mul(2_654_435_761) % 0xfff_ffff;
    let why = "The loop below looks at every entry of the index again, although the caller has done so\n\
               before and knows which of them were touched; with many entries that takes most of the\n\
               time. Keep what was found out, and look again only where the file is another one now.\n";
    format!(
        "part{}: look at entry number {at} once\n\n{why}\nThis began with commit {id:07x} (part: more entries, 2021-03-0{}), which had no\nreason to be careful.\n\n{why}\nHelped-by: Q{} <q@example.com>\nReviewed-by: R <r@example.com>\nSigned-off-by: P{} <p@example.com>\nSigned-off-by: M <m@example.com>\n",
        at % 50,
        at % 9 + 1,
        at % 300,
        at % 40,
    )
}

fn parser() -> bool {
    let ordinary = told("1 million messages a second / ours", 1.0 / parsed(&ordinary), "x", 1.0);
    ordinary & told("1 million long ones a second / ours", 1.0 / parsed(&long), "x", 2.0)
}

/// Millions of messages that are parsed in a second.
fn parsed(message: &dyn Fn(usize) -> String) -> f64 {
    let messages: Vec<String> = (0..20_000).map(message).collect();
    let mut best = Duration::MAX;
    let mut parsed = 0;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        parsed = messages
            .iter()
            .filter(|message| conventional::parse(std::hint::black_box(message)).is_ok())
            .count();
        best = best.min(started.elapsed());
    }
    assert_eq!(parsed, messages.len());
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let millions = parsed as f64 / best.as_secs_f64() / 1e6;
    println!("parser: {millions:.2} million messages a second");
    millions
}

/// Large inputs end, and in bounded memory.
fn large() -> bool {
    let scratch = tempfile::tempdir().unwrap();
    let huge = scratch.path().join("huge");
    std::fs::create_dir(&huge).unwrap();
    made(&huge, 30, 2, 1, &|at| {
        if at == 20 { format!("feat: x\n\n{}", "Closes #1, x: y\n".repeat(700_000)) } else { ordinary(at) }
    });
    let long = once(Path::new(KYKLOS), &huge, &words("notes generate --all --format json"));
    println!("a message of 11 MB: {:.0} ms, {} MiB", long.cpu, long.memory / 1024);
    #[expect(clippy::cast_precision_loss, reason = "kibibytes")]
    let mut good = told("memory", long.memory as f64 / 1024.0, "MiB", 64.0);
    let many = scratch.path().join("many");
    std::fs::create_dir(&many).unwrap();
    made(&many, 100_000, 12_000, 1, &ordinary);
    good &= repository(&many, false, &[]);
    good
}

fn main() -> ExitCode {
    let list = |name: &str| -> Vec<String> {
        let value = std::env::var(name).unwrap_or_default();
        value.split(':').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let cliffs: Vec<PathBuf> = list("KYKLOS_BENCH_CLIFF").into_iter().map(PathBuf::from).collect();
    let mut good = parser();
    // `cargo bench` adds a flag of its own.
    let mut named: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    named.extend(list("KYKLOS_BENCH_REPOSITORIES"));
    for name in &named {
        let plain = name.strip_suffix(",plain");
        good &= repository(Path::new(plain.unwrap_or(name)), plain.is_some(), &cliffs);
    }
    if named.is_empty() {
        let scratch = tempfile::tempdir().unwrap();
        made(scratch.path(), 31_000, 2_000, 1, &ordinary);
        good &= repository(scratch.path(), false, &cliffs);
        let scratch = tempfile::tempdir().unwrap();
        made(scratch.path(), 40_000, 1_000, 4, &long);
        good &= repository(scratch.path(), false, &cliffs);
        good &= large();
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
