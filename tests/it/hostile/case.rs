//! One hostile world, one run of the program in it, and everything that must hold whatever the world does.

use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use kyklos_release::model::is_steering;
use regex::Regex;

use crate::support::command::kyklos;
use crate::support::forward::{Forward, Manner};
use crate::support::registry::{Options, TestRegistry};
use crate::support::told;

/// Most memory of a run, in KiB. The program as it is built for tests takes 24 to 29 MiB before anything is read.
const MOST: u64 = 64 << 10;

/// Longest run. A bound, no measurement: most of them take a fraction of a second, and the machine may be busy.
const PROMPT: Duration = Duration::from_secs(30);

/// Longest run of a command that tries again. It waits 2, 4 and 8 seconds, each varied by a fifth, and as long as it takes
/// to notice that nothing comes.
const PATIENT: Duration = Duration::from_secs(90);

/// The password of every login.
pub(super) const PASSWORD: &str = "hunter2hunter2";

/// `me` and the password, as `Basic` sends it.
pub(super) fn login_of_me() -> String {
    base64::engine::general_purpose::STANDARD.encode(format!("me:{PASSWORD}"))
}

/// One hostile world.
pub(super) struct Case {
    name: String,
    /// The directory the program runs in.
    pub(super) here: tempfile::TempDir,
    /// A second host on this machine. It gets no connection; where it may, it gets no secret.
    pub(super) elsewhere: TestRegistry,
    may_be_asked: bool,
    /// Hosts that are not on this machine, and what answers for them. A request to any other is one too many.
    public: Vec<(String, String)>,
    variables: Vec<(String, String)>,
    /// What nobody may be shown, beside the login.
    secrets: Vec<String>,
    /// Words in lines and answers that stand for addresses.
    words: Vec<(String, String)>,
    limit: Duration,
    /// What came to the proxy that is the way to all other machines.
    passed: RefCell<Vec<String>>,
}

impl Case {
    /// A world without anything but a second host.
    pub(super) fn new(name: impl Into<String>) -> Self {
        let elsewhere = TestRegistry::start(Options::default());
        let words = vec![("ELSEWHERE".to_owned(), elsewhere.host())];
        Self {
            name: name.into(),
            here: tempfile::tempdir().unwrap(),
            elsewhere,
            may_be_asked: false,
            public: Vec::new(),
            variables: Vec::new(),
            secrets: vec![PASSWORD.to_owned(), login_of_me(), "token-".to_owned()],
            words,
            limit: PROMPT,
            passed: RefCell::default(),
        }
    }

    /// The registry that `HOST` stands for.
    pub(super) fn host(mut self, host: &TestRegistry) -> Self {
        self.words.push(("HOST".to_owned(), host.host()));
        self
    }

    /// A word that stands for an address.
    pub(super) fn word(mut self, word: &str, address: &str) -> Self {
        self.words.push((word.to_owned(), address.to_owned()));
        self
    }

    /// Logins for hosts, where `docker login` keeps them.
    pub(super) fn login(self, hosts: &[&str]) -> Self {
        let login = serde_json::json!({"auth": login_of_me()});
        let auths: serde_json::Map<String, serde_json::Value> =
            hosts.iter().map(|host| ((*host).to_owned(), login.clone())).collect();
        self.file(".docker/config.json", serde_json::json!({"auths": auths}).to_string())
    }

    /// A file.
    pub(super) fn file(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.here.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// A host on another machine, `NAME:PORT`, and what answers for it.
    pub(super) fn public(mut self, name: &str, address: &str) -> Self {
        self.public.push((name.to_owned(), address.to_owned()));
        self
    }

    /// The second host may be asked, without a secret.
    pub(super) fn may_ask_elsewhere(mut self) -> Self {
        self.may_be_asked = true;
        self
    }

    /// The program tries again before it gives up.
    pub(super) fn patient(mut self) -> Self {
        self.limit = PATIENT;
        self
    }

    /// A variable of the environment.
    pub(super) fn env(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Something that is not to be shown.
    pub(super) fn secret(mut self, text: &str) -> Self {
        self.secrets.push(text.to_owned());
        self
    }

    /// Files and directories in the directory of the run, but for those that the case itself needs.
    pub(super) fn left(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.here.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> =
            names.filter(|name| ![".docker", "events.ndjson"].contains(&name.as_str())).collect();
        names.sort();
        names
    }

    /// What the proxy was asked for.
    pub(super) fn passed(&self) -> Vec<String> {
        self.passed.borrow().clone()
    }

    /// Runs the program on a line in which words stand for addresses.
    pub(super) fn run(&self, line: &str) -> Ended {
        let line =
            self.words.iter().fold(line.to_owned(), |line, (word, address)| line.replace(word, address));
        self.run_as(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// The same with arguments that are not split.
    pub(super) fn run_as(&self, arguments: &[&str]) -> Ended {
        let out = Forward::with(Manner::Leads(self.public.clone()), None);
        let mut command = kyklos(self.here.path());
        for name in ["HTTP_PROXY", "HTTPS_PROXY"] {
            command = command.env(name, out.url(None));
        }
        for (name, value) in &self.variables {
            command = command.env(name, value);
        }
        command = arguments.iter().fold(command, |command, argument| command.arg(argument));
        let measured = command.args("-v --events events.ndjson").measured(self.limit);
        let (run, peak) = (&measured.run, measured.peak);
        let name = &self.name;
        let events = std::fs::read_to_string(self.here.path().join("events.ndjson")).unwrap_or_default();
        let said = format!("{}{events}", run.show());
        let start: String = said.chars().take(3000).collect();
        told(&format!("{name}: {} MiB, {:.1} s", peak >> 10, measured.wall.as_secs_f64()));
        assert!(measured.wall < self.limit, "{name}: not at an end after {:?}\n{start}", self.limit);
        assert!(![70, 101, -1].contains(&run.code()), "{name}: {start}");
        assert!(peak < MOST, "{name}: {peak} KiB\n{start}");
        for secret in &self.secrets {
            assert!(!said.contains(secret.as_str()), "{name}: {secret} is shown\n{said}");
        }
        // What a program reads holds every character as it came.
        let steering = |c: char| is_steering(c) && !['\n', '\t'].contains(&c);
        if !arguments.contains(&"json") {
            assert!(!run.show().contains(steering), "{name}: {:?}", run.show());
        }
        *self.passed.borrow_mut() = out.log().iter().map(|one| one.request.clone()).collect();
        let strays: Vec<String> =
            out.log().into_iter().filter(|one| !one.led).map(|one| one.request).collect();
        assert_eq!(strays, Vec::<String>::new(), "{name}: asked for\n{start}");
        self.look_elsewhere(&start);
        Ended {
            shown: format!("# {name}: {}", self.shown(&run.stdout(), &run.stderr(), run.code())),
            code: run.code(),
        }
    }

    fn look_elsewhere(&self, said: &str) {
        let (name, log) = (&self.name, self.elsewhere.log());
        if !self.may_be_asked {
            assert_eq!(self.elsewhere.connections(), 0, "{name}: connections\n{said}");
            return;
        }
        for one in &log {
            let told = format!("{} {:?}", one.path, one.headers);
            for header in ["authorization", "proxy-authorization", "cookie"] {
                assert!(!one.headers.contains_key(header), "{name}: {told}");
            }
            for secret in &self.secrets[..3] {
                assert!(!told.contains(secret.as_str()), "{name}: {told}");
            }
        }
    }

    /// What was said, without the lines of `-v` and without what differs from run to run.
    fn shown(&self, stdout: &str, stderr: &str, code: i32) -> String {
        let detail = Regex::new(r"(?m)^ +\.\.\. .*\n").unwrap();
        let wait = Regex::new(r"again in [0-9.]+ s").unwrap();
        let stderr = wait.replace_all(&detail.replace_all(stderr, ""), "again in N s").into_owned();
        // How often it was tried again by one of several that do so side by side.
        let mut lines: Vec<&str> = stderr.lines().collect();
        lines.dedup();
        let stderr: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let mut text = format!("exit {code}\n{}{stderr}", shortened(stdout));
        text = text.replace(&self.here.path().display().to_string(), "HERE");
        for (word, address) in &self.words {
            text = text.replace(address.as_str(), word);
        }
        text
    }
}

/// The start of a long answer.
fn shortened(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let cut = |line: &str| line.chars().take(160).collect::<String>();
    let mut shown: String = lines.iter().take(24).map(|line| format!("{}\n", cut(line))).collect();
    if lines.len() > 24 {
        shown.push_str(&format!("({} more lines)\n", lines.len() - 24));
    }
    shown
}

/// How a run ended. What had to hold has held.
#[must_use = "the text tells what happened"]
pub(super) struct Ended {
    shown: String,
    pub(super) code: i32,
}

impl Ended {
    pub(super) fn text(&self) -> &str {
        &self.shown
    }
}

/// Several ends, for a snapshot.
pub(super) fn seen(ends: &[Ended]) -> String {
    ends.iter().map(Ended::text).collect::<Vec<_>>().join("\n")
}

/// Runs several cases side by side: those that wait do so together.
pub(super) fn side_by_side(cases: Vec<Box<dyn FnOnce() -> Ended + Send + '_>>) -> Vec<Ended> {
    std::thread::scope(|scope| {
        let running: Vec<_> = cases.into_iter().map(|case| scope.spawn(case)).collect();
        let ended = running.into_iter().map(|one| one.join());
        ended.map(|one| one.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

/// Makes a file that can be run.
pub(super) fn program(path: &Path, script: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}
