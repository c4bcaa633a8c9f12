//! What the work with registries costs beside crane, oras, regctl and skopeo: `cargo bench --bench registry`.
//!
//! Debian's registry runs on this machine behind a proxy that lets every request wait 20 ms. Each figure is a median over
//! rounds in which all tools take turns; what counts is the ratio to the best of the others in the same run. Then one
//! layer of 1 GiB is pushed, pulled and copied without the proxy, and memory and processor time are read from the system; that
//! needs 8 GiB of disk and is left out, aloud, where they are not there. Everything is in a folder below `target/tmp` that is
//! removed at the end, or by the next run when this one is killed.
//!
//! `tests/peers/run --get` gets the registry and the other tools. `KYKLOS_BINARY` names another build of this tool than the
//! one cargo has just made. The memory of a process is mostly the pages of its program, so what counts there is the build that
//! ships: `cargo build --profile dist`, then `KYKLOS_BINARY=target/dist/kyklos-release`. The process ends with 1 when a goal is
//! missed.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark runs programs"
)]

mod process;
mod proxy;
#[path = "../../tests/it/support/registry.rs"]
#[expect(dead_code, reason = "shared with the tests")]
mod registry;

use std::path::{Path, PathBuf};
use std::time::Duration;

use process::{Cost, Server, run, tool, watch};
use proxy::Proxy;

/// What is measured.
fn kyklos() -> PathBuf {
    let named = std::env::var_os("KYKLOS_BINARY").filter(|path| !path.is_empty());
    // Commands run in a folder of their own.
    named.map_or_else(
        || env!("CARGO_BIN_EXE_kyklos-release").into(),
        |path| std::path::absolute(path).unwrap(),
    )
}

const WAIT: Duration = Duration::from_millis(20);
const ROUNDS: usize = 7;

/// One way to do a job: the commands of one tool, one after the other. `{N}` stands for the number of the round.
struct Way {
    tool: &'static str,
    commands: Vec<String>,
}

fn way(tool: &'static str, commands: &[&str]) -> Way {
    Way { tool, commands: commands.iter().map(ToString::to_string).collect() }
}

struct Bench {
    home: PathBuf,
    proxy: Proxy,
    missed: u32,
}

impl Bench {
    fn program(tool_name: &str) -> Option<PathBuf> {
        if tool_name == "kyklos-release" { Some(kyklos()) } else { tool(tool_name) }
    }

    fn once(&self, way: &Way, round: usize, measure: fn(&Path, &[&str], &Path) -> Cost) -> Option<Cost> {
        let program = Self::program(way.tool)?;
        let mut sum = Cost::default();
        for line in &way.commands {
            let line = line.replace("{N}", &round.to_string()).replace("{H}", &self.proxy.host);
            let arguments: Vec<&str> = line.split(' ').collect();
            let cost = measure(&program, &arguments, &self.home);
            sum.wall += cost.wall;
            sum.cpu += cost.cpu;
            sum.peak = sum.peak.max(cost.peak);
        }
        Some(sum)
    }

    /// All tools in turns. The first way is ours.
    fn race(&mut self, job: &str, limit: f64, ways: &[Way]) {
        let mut times: Vec<Vec<Duration>> = vec![Vec::new(); ways.len()];
        let mut requests = vec![0; ways.len()];
        for round in 0..ROUNDS {
            for (place, way) in ways.iter().enumerate() {
                self.proxy.requests();
                if let Some(cost) = self.once(way, round, run) {
                    times[place].push(cost.wall);
                    requests[place] = self.proxy.requests();
                }
            }
        }
        let medians: Vec<Option<f64>> = times.into_iter().map(median).collect();
        let best = medians.iter().skip(1).flatten().copied().fold(f64::INFINITY, f64::min);
        let ours = medians[0].unwrap();
        let ratio = ours / best;
        let good = ratio <= limit || best.is_infinite();
        self.missed += u32::from(!good);
        let others: Vec<String> = ways
            .iter()
            .zip(&medians)
            .zip(&requests)
            .skip(1)
            .map(|((way, median), requests)| match median {
                Some(median) => format!("{} {median:.0} ms ({requests})", way.tool),
                None => format!("{} missing", way.tool),
            })
            .collect();
        println!(
            "{job:<22} {ours:>5.0} ms ({} requests)   {ratio:.2} x the best, at most {limit:.2}   {}   {}",
            requests[0],
            if good { "ok" } else { "MISSED" },
            others.join(", ")
        );
    }

    fn bound(&mut self, what: &str, found: f64, limit: f64, unit: &str) {
        let good = found <= limit;
        self.missed += u32::from(!good);
        println!(
            "{what:<44} {found:>7.2} {unit}, at most {limit:.2}   {}",
            if good { "ok" } else { "MISSED" }
        );
    }
}

fn median(mut times: Vec<Duration>) -> Option<f64> {
    times.sort();
    times.get(times.len() / 2).map(|time| time.as_secs_f64() * 1000.0)
}

fn main() {
    let directory = folder();
    let home = directory.path().to_owned();
    println!("{}", kyklos().display());
    let missed = match Server::start(&home, "registry") {
        Some(server) => {
            let mut bench = Bench { proxy: Proxy::start(&server.host, WAIT), home, missed: 0 };
            prepare(&bench);
            requests(&mut bench);
            large(&mut bench, &server);
            bench.missed
        }
        None => {
            println!(
                "docker-registry is missing (tests/peers/run --get): the registry of the tests stands in, and 1 GiB is left out"
            );
            let options = registry::Options { referrers: false, ..registry::Options::default() };
            let server = registry::TestRegistry::start(options);
            let mut bench = Bench { proxy: Proxy::start(&server.host(), WAIT), home, missed: 0 };
            prepare(&bench);
            requests(&mut bench);
            bench.missed
        }
    };
    drop(directory);
    std::process::exit(i32::from(missed > 0));
}

/// A folder for everything, after those of killed runs are gone.
fn folder() -> tempfile::TempDir {
    const PREFIX: &str = "registry-bench-";
    let below = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(below).unwrap();
    for entry in std::fs::read_dir(below).unwrap().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            std::fs::remove_dir_all(entry.path()).unwrap();
        }
    }
    tempfile::Builder::new().prefix(&format!("{PREFIX}{}-", std::process::id())).tempdir_in(below).unwrap()
}

/// Bytes of disk that the part with 1 GiB needs at most: layout, two registries that take an upload before they know that
/// they have it, and what is pulled.
const DISK: u64 = 8 << 30;

/// Bytes that are free where a folder is.
fn free(folder: &Path) -> Option<u64> {
    let output =
        std::process::Command::new("df").args(["--output=avail", "-B1"]).arg(folder).output().ok()?;
    String::from_utf8(output.stdout).ok()?.lines().nth(1)?.trim().parse().ok()
}

/// An image of two platforms, and the same image with something attached to its index and to each platform.
fn prepare(bench: &Bench) {
    let home = &bench.home;
    for architecture in ["amd64", "arm64"] {
        let content: Vec<u8> = noise(7).take(1 << 20).collect();
        std::fs::write(home.join(architecture), [&content[..], architecture.as_bytes()].concat()).unwrap();
    }
    let ours = |line: &str| {
        let line = line.replace("{H}", &bench.proxy.host);
        run(&kyklos(), &line.split(' ').collect::<Vec<_>>(), home)
    };
    ours(
        "image assemble --name app --binary linux/amd64=amd64 --binary linux/arm64=arm64 -o oci:image:v1.0.0",
    );
    // crane pushes a layout that lists one thing.
    ours("image assemble --name app --binary linux/amd64=amd64 --binary linux/arm64=arm64 -o oci:one:v1.0.0");
    if let Some(regctl) = tool("regctl") {
        run(&regctl, &["registry", "set", &bench.proxy.host, "--tls", "disabled"], home);
    }
    ours("image push oci:image:v1.0.0 {H}/source/app:v1.0.0");
    ours("image push oci:image:v1.0.0 {H}/attached/app:v1.0.0");
    std::fs::write(home.join("note.txt"), "a note\n").unwrap();
    let Some(oras) = tool("oras") else { return };
    let index = format!("{}/attached/app:v1.0.0", bench.proxy.host);
    for (kind, platform) in
        [("a/one", None), ("a/two", None), ("a/child", Some("linux/amd64")), ("a/child", Some("linux/arm64"))]
    {
        let mut arguments = vec!["attach", "--plain-http", "--artifact-type", kind];
        arguments.extend(platform.iter().flat_map(|platform| ["--platform", platform]));
        arguments.extend([index.as_str(), "note.txt:text/plain"]);
        run(&oras, &arguments, home);
    }
}

/// Bytes that do not get smaller.
fn noise(seed: u64) -> impl Iterator<Item = u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    })
}

/// What is told by the number of requests, and by how many of them wait for one another.
fn requests(bench: &mut Bench) {
    let skopeo = "--insecure-policy copy --quiet --all --src-tls-verify=false --dest-tls-verify=false";
    // The second time the same repositories hold everything.
    for job in ["push, fresh", "push, unchanged"] {
        let to = |tool: &str| format!("{{H}}/{tool}/push-{{N}}:v1.0.0");
        bench.race(
            job,
            0.75,
            &[
                way("kyklos-release", &[&format!("image push oci:image:v1.0.0 {}", to("kyklos"))]),
                way("crane", &[&format!("push --insecure one {}", to("crane"))]),
                way(
                    "oras",
                    &[&format!("copy --to-plain-http --from-oci-layout image:v1.0.0 {}", to("oras"))],
                ),
                way("regctl", &[&format!("image copy ocidir://image:v1.0.0 {}", to("regctl"))]),
                way("skopeo", &[&format!("{skopeo} oci:image:v1.0.0 docker://{}", to("skopeo"))]),
            ],
        );
    }
    let image = "{H}/source/app:v1.0.0";
    let arm64 = |line: &str| line.replace("amd64", "arm64");
    let both = |tool, line: String| way(tool, &[&line, &arm64(&line)]);
    bench.race(
        "inspect, 2 platforms",
        0.75,
        &[
            way("kyklos-release", &[&format!("image inspect {image} --format json")]),
            both("crane", format!("config --insecure --platform linux/amd64 {image}")),
            both("oras", format!("manifest fetch-config --plain-http --platform linux/amd64 {image}")),
            both("regctl", format!("image inspect --platform linux/amd64 {image}")),
            both("skopeo", format!("inspect --tls-verify=false --override-arch amd64 docker://{image}")),
        ],
    );
    bench.race(
        "raw index",
        1.0,
        &[
            way("kyklos-release", &[&format!("image inspect --raw {image}")]),
            way("crane", &[&format!("manifest --insecure {image}")]),
            way("oras", &[&format!("manifest fetch --plain-http {image}")]),
            way("regctl", &[&format!("manifest get --format raw-body {image}")]),
            way("skopeo", &[&format!("inspect --tls-verify=false --raw docker://{image}")]),
        ],
    );
    bench.race(
        "retag",
        1.0,
        &[
            way("kyklos-release", &[&format!("image tag {image} ours-{{N}}")]),
            way("crane", &[&format!("tag --insecure {image} crane-{{N}}")]),
            way("oras", &[&format!("tag --plain-http {image} oras-{{N}}")]),
            way("regctl", &[&format!("image copy {image} {{H}}/source/app:regctl-{{N}}")]),
            way("skopeo", &[&format!("{skopeo} docker://{image} docker://{{H}}/source/app:skopeo-{{N}}")]),
        ],
    );
    let to = |tool: &str| format!("{{H}}/{tool}/copy-{{N}}:v1.0.0");
    bench.race(
        "copy",
        0.75,
        &[
            way("kyklos-release", &[&format!("image copy {image} {}", to("kyklos"))]),
            way("crane", &[&format!("copy --insecure {image} {}", to("crane"))]),
            way("oras", &[&format!("copy --from-plain-http --to-plain-http {image} {}", to("oras"))]),
            way("regctl", &[&format!("image copy {image} {}", to("regctl"))]),
            way("skopeo", &[&format!("{skopeo} docker://{image} docker://{}", to("skopeo"))]),
        ],
    );
    let attached = "{H}/attached/app:v1.0.0";
    let to = |tool: &str| format!("{{H}}/{tool}/all-{{N}}:v1.0.0");
    bench.race(
        "copy with referrers",
        0.75,
        &[
            way("kyklos-release", &[&format!("image copy --referrers {attached} {}", to("kyklos"))]),
            way(
                "oras",
                &[&format!("copy --recursive --from-plain-http --to-plain-http {attached} {}", to("oras"))],
            ),
            way("regctl", &[&format!("image copy --referrers {attached} {}", to("regctl"))]),
        ],
    );
}

/// One layer of 1 GiB: memory, and processor time beside regctl, which hashes what it moves as well.
fn large(bench: &mut Bench, server: &Server) {
    let home = bench.home.clone();
    if let Some(free) = free(&home).filter(|free| *free < DISK) {
        println!("1 GiB: LEFT OUT, {} MiB of disk are free and {} are needed", free >> 20, DISK >> 20);
        return;
    }
    let second = Server::start(&home, "second").unwrap();
    let binary = home.join("large");
    {
        use std::io::Write as _;
        let block: Vec<u8> = noise(1).take(1 << 20).collect();
        let mut file = std::fs::File::create(&binary).unwrap();
        for number in 0..1024_u64 {
            file.write_all(&number.to_le_bytes()).unwrap();
            file.write_all(&block[8..]).unwrap();
        }
    }
    let ours = &kyklos();
    layout_of(&home, &binary);
    let regctl = tool("regctl");
    if let Some(regctl) = &regctl {
        for host in [&server.host, &second.host] {
            run(regctl, &["registry", "set", host, "--tls", "disabled"], &home);
        }
    }
    let (first, second) = (&server.host, &second.host);
    let jobs = [
        ("push", "image push oci:big:v1 {A}/o/big:v1", "image copy ocidir://big:v1 {A}/r/big:v1"),
        ("pull", "image copy {A}/o/big:v1 oci:pulled:v1", "image copy {A}/o/big:v1 ocidir://theirs:v1"),
        ("copy", "image copy {A}/o/big:v1 {B}/o/big:v1", "image copy {A}/o/big:v1 {B}/r/big:v1"),
    ];
    for (job, mine, theirs) in jobs {
        let words = |line: &str| line.replace("{A}", first).replace("{B}", second);
        let line = words(mine);
        let cost = watch(ours, &line.split(' ').collect::<Vec<_>>(), &home);
        let mebibytes = cost.peak as f64 / 1_048_576.0;
        bench.bound(&format!("{job} of 1 GiB: memory"), mebibytes, 16.0, "MiB");
        let Some(regctl) = &regctl else {
            println!("{job} of 1 GiB: regctl missing");
            continue;
        };
        let line = words(theirs);
        let other = watch(regctl, &line.split(' ').collect::<Vec<_>>(), &home);
        let ratio = cost.cpu.as_secs_f64() / other.cpu.as_secs_f64();
        println!(
            "{job} of 1 GiB: {:.1} s, processor {:.2} s; regctl {:.1} s, processor {:.2} s, memory {:.1} MiB",
            cost.wall.as_secs_f64(),
            cost.cpu.as_secs_f64(),
            other.wall.as_secs_f64(),
            other.cpu.as_secs_f64(),
            other.peak as f64 / 1_048_576.0
        );
        bench.bound(&format!("{job} of 1 GiB: processor time beside regctl"), ratio, 1.1, "x");
        for pulled in ["pulled", "theirs"] {
            // Only one of the jobs makes them.
            drop(std::fs::remove_dir_all(home.join(pulled)));
        }
    }
}

/// A layout with an image whose one layer is a file as it is: nothing packs it, so nothing but moving it costs.
fn layout_of(home: &Path, file: &Path) {
    use std::io::Read as _;
    let layout = home.join("big");
    let blobs = layout.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let digest = |bytes: &[u8]| kyklos_release::model::Digest::of(bytes);
    let put = |kind: &str, bytes: &[u8]| {
        let digest = digest(bytes);
        std::fs::write(blobs.join(digest.hex()), bytes).unwrap();
        format!("{{\"mediaType\":\"{kind}\",\"digest\":\"{digest}\",\"size\":{}}}", bytes.len())
    };
    let mut hasher = kyklos_release::model::Hasher::default();
    let mut reader = std::fs::File::open(file).unwrap();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match reader.read(&mut buffer).unwrap() {
            0 => break,
            read => hasher.update(&buffer[..read]),
        }
    }
    let (layer, size) = hasher.finish();
    std::fs::rename(file, blobs.join(layer.hex())).unwrap();
    let config = format!(
        "{{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{{\"type\":\"layers\",\"diff_ids\":[\"{layer}\"]}}}}"
    );
    let config = put("application/vnd.oci.image.config.v1+json", config.as_bytes());
    let manifest = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"config\":{config},\
         \"layers\":[{{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"{layer}\",\"size\":{size}}}]}}"
    );
    let manifest = put("application/vnd.oci.image.manifest.v1+json", manifest.as_bytes());
    let entry = manifest.replacen('}', ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"v1\"}}", 1);
    std::fs::write(layout.join("index.json"), format!("{{\"schemaVersion\":2,\"manifests\":[{entry}]}}"))
        .unwrap();
    std::fs::write(layout.join("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}").unwrap();
}
