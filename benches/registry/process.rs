//! Programs that are run and measured, and servers that are ended.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What a run took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    /// User and system time.
    pub(crate) cpu: Duration,
    /// Most bytes in memory at once.
    pub(crate) peak: u64,
}

/// The folder the other tools are in: the one that `tests/peers/run` fills.
pub(crate) fn peers() -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let cache = variable("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| variable("HOME").map(|home| Path::new(&home).join(".cache")))
        .unwrap_or_default();
    variable("KYKLOS_PEERS").map_or_else(|| cache.join("kyklos-release-peers"), PathBuf::from).join("bin")
}

/// A tool, or `None` when it was not got.
pub(crate) fn tool(name: &str) -> Option<PathBuf> {
    let path = peers().join(name);
    path.exists().then_some(path)
}

fn command(program: &Path, arguments: &[&str], home: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(home).env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin");
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Runs a program to its end. Its errors go to a file that is shown when it fails.
pub(crate) fn run(program: &Path, arguments: &[&str], home: &Path) -> Cost {
    let log = home.join("stderr");
    let started = Instant::now();
    let mut child =
        command(program, arguments, home).stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
    let status = child.wait().unwrap();
    let wall = started.elapsed();
    assert!(status.success(), "{program:?} {arguments:?}: {}", fs::read_to_string(&log).unwrap());
    Cost { wall, ..Cost::default() }
}

/// Runs a program to its end and watches what it uses (proc(5)). The figures of a process stay until it is waited for,
/// those of its memory do not, so they are read again and again.
pub(crate) fn watch(program: &Path, arguments: &[&str], home: &Path) -> Cost {
    let log = home.join("stderr");
    let started = Instant::now();
    let mut child =
        command(program, arguments, home).stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
    let of = PathBuf::from(format!("/proc/{}", child.id()));
    let mut cost = Cost::default();
    let ended = loop {
        let stat = fs::read_to_string(of.join("stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        cost.cpu = Duration::from_millis(ticks * 10);
        if fields[0] == "Z" {
            break started.elapsed();
        }
        let status = fs::read_to_string(of.join("status")).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        cost.peak = cost.peak.max(kilobytes.unwrap_or(0) << 10);
        std::thread::sleep(Duration::from_millis(2));
    };
    cost.wall = ended;
    assert!(
        child.wait().unwrap().success(),
        "{program:?} {arguments:?}: {}",
        fs::read_to_string(&log).unwrap()
    );
    cost
}

/// A registry that ends with this value.
pub(crate) struct Server {
    pub(crate) host: String,
    child: Child,
}

impl Server {
    /// Debian's registry on a free port, with its files in a directory.
    pub(crate) fn start(home: &Path, name: &str) -> Option<Self> {
        let program = tool("docker-registry")?;
        // The port is free again when the registry takes it; nobody else here asks for one.
        let host = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let config = home.join(format!("{name}.yml"));
        let text = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage:\n  delete: {{enabled: true}}\n  \
             filesystem: {{rootdirectory: {}}}\nhttp: {{addr: '{host}'}}\n",
            home.join(name).display()
        );
        fs::write(&config, text).unwrap();
        let child = Command::new(program)
            .arg("serve")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { host, child };
        for _ in 0..200 {
            if TcpStream::connect(&server.host).is_ok() {
                return Some(server);
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("the registry does not answer");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
