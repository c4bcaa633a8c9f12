//! Repositories over HTTP on loopback, served by the program of git that does (git-http-backend(1)).

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// git answers it.
    Serve,
    /// A login is asked for.
    Login,
    /// Nothing is said until [`GitHttp::hang_up`].
    Silence,
}

/// The server; it ends with the process.
pub(crate) struct GitHttp {
    address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
    hung_up: Arc<AtomicBool>,
}

impl GitHttp {
    /// Whether git can serve here.
    pub(crate) fn is_there() -> bool {
        backend().is_some()
    }

    /// Serves what lies in a directory. `judge` sees the line of each request.
    pub(crate) fn new(root: &Path, judge: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let log = Arc::new(Mutex::new(Vec::new()));
        let hung_up = Arc::new(AtomicBool::new(false));
        let (root, judge, seen, end) =
            (root.to_owned(), Arc::new(judge), Arc::clone(&log), Arc::clone(&hung_up));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (root, judge) = (root.clone(), Arc::clone(&judge));
                let (seen, end) = (Arc::clone(&seen), Arc::clone(&end));
                // Whoever goes away ends its connection and nothing else.
                std::thread::spawn(move || drop(serve(stream, &root, &*judge, &seen, &end)));
            }
        });
        Self { address, log, hung_up }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends every request that waits in silence.
    pub(crate) fn hang_up(&self) {
        self.hung_up.store(true, Ordering::SeqCst);
    }

    /// The lines of the requests so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().expect("no thread failed").clone()
    }
}

fn backend() -> Option<PathBuf> {
    let output = Command::new("git").arg("--exec-path").output().ok()?;
    let path = Path::new(String::from_utf8_lossy(&output.stdout).trim()).join("git-http-backend");
    path.exists().then_some(path)
}

fn serve(
    stream: TcpStream,
    root: &Path,
    judge: &(dyn Fn(&str) -> Answer + Send + Sync),
    log: &Mutex<Vec<String>>,
    hung_up: &AtomicBool,
) -> std::io::Result<()> {
    let (mut reader, mut out) = (BufReader::new(stream.try_clone()?), stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut command = Command::new(backend().expect("it is there"));
    command.env("GIT_PROJECT_ROOT", root).env("GIT_HTTP_EXPORT_ALL", "1").env("REQUEST_METHOD", method);
    command.env("PATH_INFO", path).env("QUERY_STRING", query).env("GIT_CONFIG_NOSYSTEM", "1");
    let mut length = 0;
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header)? == 0 || header.trim().is_empty() {
            break;
        }
        let (name, value) = header.split_once(':').expect("a header");
        match (name.to_ascii_lowercase().as_str(), value.trim()) {
            ("content-length", value) => length = value.parse().expect("a length"),
            ("content-type", value) => drop(command.env("CONTENT_TYPE", value)),
            ("content-encoding", value) => drop(command.env("HTTP_CONTENT_ENCODING", value)),
            ("git-protocol", value) => drop(command.env("GIT_PROTOCOL", value)),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    log.lock().expect("no thread failed").push(format!("{method} {target}"));
    match judge(&format!("{method} {target}")) {
        Answer::Serve => {}
        Answer::Login => {
            let head = "HTTP/1.1 401 X\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            return out.write_all(head.as_bytes());
        }
        Answer::Silence => {
            while !hung_up.load(Ordering::SeqCst) {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            return Ok(());
        }
    }
    command.env("CONTENT_LENGTH", length.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::null()).spawn()?;
    child.stdin.take().expect("a pipe").write_all(&body)?;
    let answer = child.wait_with_output()?.stdout;
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
    let status = String::from_utf8_lossy(&answer[..head])
        .lines()
        .find_map(|line| line.strip_prefix("Status: ").map(str::to_owned));
    let status = status.unwrap_or_else(|| "200 OK".to_owned());
    out.write_all(format!("HTTP/1.1 {status}\r\nConnection: close\r\n").as_bytes())?;
    out.write_all(&answer)
}
