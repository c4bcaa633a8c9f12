//! Where logins come from: files of docker and containers, and credential helpers. No variable of a forge is one.
#![expect(clippy::disallowed_methods, reason = "this is where credential helpers are started")]

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::adapter::fs;
use crate::format::docker_config::{Credential, DockerConfig, LIMIT, Login, helper_answer};
use crate::port::{FilesError, RegistryError};

/// Longest wait for a credential helper.
const HELPER_PATIENCE: Duration = Duration::from_secs(15);

/// Most bytes of what a helper says.
const HELPER_LIMIT: u64 = 64 << 10;

/// Where logins are looked for, in this order; the first place that knows one wins.
#[derive(Clone, Default)]
pub struct CredentialSources {
    /// The content of a `config.json` (`DOCKER_AUTH_CONFIG`).
    pub inline: Option<String>,
    /// A file that must be there; nothing else is looked at (`--authfile`, `REGISTRY_AUTH_FILE`).
    pub only: Option<PathBuf>,
    /// Files that may be there.
    pub files: Vec<PathBuf>,
}

impl std::fmt::Debug for CredentialSources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CredentialSources").field("only", &self.only).field("files", &self.files).finish()
    }
}

impl CredentialSources {
    /// The login for a repository, `None` to go without. Blocks while a helper is asked.
    pub(super) fn find(&self, host: &str, path: &str) -> Result<Option<Credential>, RegistryError> {
        let failed = |reason: String| RegistryError::Credentials { host: host.to_owned(), reason };
        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        match (&self.only, &self.inline) {
            (Some(path), _) => {
                let bytes = fs::read_linked(path, LIMIT).map_err(|error| failed(error.to_string()))?;
                files.push((path.display().to_string(), bytes));
            }
            (None, inline) => {
                let inline = inline.as_ref().map(|text| text.clone().into_bytes());
                files.extend(inline.map(|bytes| ("DOCKER_AUTH_CONFIG".to_owned(), bytes)));
                for path in &self.files {
                    match fs::read_linked(path, LIMIT) {
                        Ok(bytes) => files.push((path.display().to_string(), bytes)),
                        Err(FilesError::Missing { .. }) => {}
                        Err(error) => return Err(failed(error.to_string())),
                    }
                }
            }
        }
        for (name, bytes) in files {
            let told = |error: crate::format::docker_config::InvalidLogin| failed(format!("{name}: {error}"));
            match DockerConfig::parse(&bytes).and_then(|config| config.login(host, path)).map_err(told)? {
                None => {}
                Some(Login::Here(credential)) => return Ok(Some(credential)),
                Some(Login::Helper { name, server }) => {
                    let command = Command::new(format!("docker-credential-{name}"));
                    if let Some(credential) = ask(command, &server, HELPER_PATIENCE).map_err(failed)? {
                        return Ok(Some(credential));
                    }
                }
            }
        }
        Ok(None)
    }
}

/// Asks a helper for a server, `get`. One that does not know it gives `None`.
fn ask(mut command: Command, server: &str, patience: Duration) -> Result<Option<Credential>, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{program} cannot be started: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not listen says so with its exit code.
        let _ = stdin.write_all(format!("{server}\n").as_bytes());
    }
    let (send, receive) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            let mut said = Vec::new();
            let read = stdout.take(HELPER_LIMIT + 1).read_to_end(&mut said);
            // Nobody listens any more when it took too long.
            let _ = send.send(read.map(|_| said));
        });
    }
    let said = match receive.recv_timeout(patience) {
        Ok(said) => said.map_err(|error| format!("{program} cannot be read: {error}")),
        Err(_) => Err(format!("{program} did not answer in {} seconds", patience.as_secs())),
    };
    let said = said.and_then(|said| {
        let enough = said.len() as u64 <= HELPER_LIMIT;
        if enough { Ok(said) } else { Err(format!("{program} says more than {HELPER_LIMIT} bytes")) }
    });
    let Ok(said) = said else {
        // It may have ended by itself.
        let _ = child.kill();
        let _ = child.wait();
        return said.map(|_| None);
    };
    let status = child.wait().map_err(|error| format!("{program} cannot be waited for: {error}"))?;
    if !status.success() {
        let said = String::from_utf8_lossy(&said).to_ascii_lowercase();
        // docker-credential-helpers, `credentials.ErrCredentialsNotFound` and its kin.
        if said.contains("not found") || said.contains("no credentials") {
            return Ok(None);
        }
        return Err(format!("{program} failed"));
    }
    helper_answer(&said).map(Some).map_err(|error| format!("{program}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A helper that is this shell script; it sees `get` as its first argument.
    fn helper(script: &str, patience: Duration) -> Result<Option<Credential>, String> {
        let mut command = Command::new("sh");
        command.args(["-c", script, "helper"]);
        ask(command, "ghcr.io", patience)
    }

    #[test]
    fn helpers_that_answer_do_not_know_fail_hang_and_babble() {
        let long = Duration::from_secs(20);
        let right = helper(r#"read s; echo "{\"Username\":\"$1\",\"Secret\":\"$s\"}""#, long).unwrap();
        let expected = Credential::Basic { user: "get".to_owned(), password: "ghcr.io".to_owned() };
        assert_eq!(right, Some(expected));
        let unknown = helper("echo credentials not found in native keychain; exit 1", long);
        assert_eq!(unknown, Ok(None));
        for (script, patience, expected) in [
            ("exit 3", long, "sh failed"),
            ("exec sleep 60", Duration::from_millis(100), "sh did not answer in 0 seconds"),
            ("exec yes", long, "sh says more than 65536 bytes"),
            ("echo '{\"Secret\":\"hunter2\"'", long, "sh: it cannot be parsed, line 2, column 0"),
        ] {
            assert_eq!(helper(script, patience).unwrap_err(), expected, "{script}");
        }
    }
}
