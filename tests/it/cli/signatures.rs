//! Signatures of commits, made by the programs people use.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::command::kyklos;
use crate::support::repository::Repository;

/// Runs a program that must succeed.
fn run(program: &str, arguments: &[&str], directory: &Path) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .env_remove("SSH_AUTH_SOCK")
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Whether a program is there; a test that needs it says so and ends when it is not.
#[expect(clippy::print_stderr, reason = "a test that cannot run says so")]
fn there(program: &str, argument: &str) -> bool {
    let found = Command::new(program).arg(argument).output().is_ok();
    if !found {
        eprintln!("not tested: {program} is not installed");
    }
    found
}

/// The newest entry of what is not released: state, doubt.
fn newest(repository: &Repository, more: &str) -> (String, Option<String>) {
    let line = format!("notes generate --unreleased --format json {more}");
    let answer = kyklos(repository.path()).args(&line).run().expect(0).json();
    let entry = &answer["data"]["releases"][0]["sections"][0]["entries"][0];
    let text = |name: &str| entry[name].as_str().map(str::to_owned);
    (text("signature").unwrap_or_else(|| panic!("{answer}")), text("signature_doubt"))
}

fn told(state: &str, doubt: Option<&str>) -> (String, Option<String>) {
    (state.to_owned(), doubt.map(str::to_owned))
}

/// An SSH key in the directory of the repository, ignored by git, and the line of its public half.
fn ssh_key(repository: &Repository, name: &str, flags: &[&str]) -> String {
    let file = repository.path().join(".git").join(name);
    let arguments = [&["-q", "-N", "", "-C", "", "-f", file.to_str().unwrap()], flags].concat();
    run("ssh-keygen", &arguments, repository.path());
    std::fs::read_to_string(file.with_extension("pub")).unwrap().trim().to_owned()
}

fn ssh_commit(repository: &Repository, name: &str, message: &str) -> String {
    let key = repository.path().join(".git").join(name);
    repository.git(&[
        "-c",
        "gpg.format=ssh",
        "-c",
        &format!("user.signingKey={}", key.display()),
        "commit",
        "--quiet",
        "--allow-empty",
        "--gpg-sign",
        "--message",
        message,
    ]);
    repository.git(&["rev-parse", "HEAD"])
}

/// Puts a commit object in place of HEAD.
fn replace(repository: &Repository, bytes: &str) -> String {
    let file = repository.write(".git/object", bytes);
    let id = repository.git(&["hash-object", "-w", "-t", "commit", file.to_str().unwrap()]);
    repository.git(&["update-ref", "HEAD", &id]);
    id
}

#[test]
fn ssh_keys_of_every_kind() {
    if !there("ssh-keygen", "-?") {
        return;
    }
    let repository = Repository::new();
    let mut signers = String::new();
    let kinds: [&[&str]; 5] = [
        &["-t", "ed25519"],
        &["-t", "rsa", "-b", "2048"],
        &["-t", "ecdsa", "-b", "256"],
        &["-t", "ecdsa", "-b", "384"],
        &["-t", "ecdsa", "-b", "521"],
    ];
    for (at, flags) in kinds.iter().enumerate() {
        let name = format!("key{at}");
        let key = ssh_key(&repository, &name, flags);
        signers.push_str(&format!("ada{at}@example.com namespaces=\"git\" {key}\n"));
        repository.write(".git/signers", &signers);
        let id = ssh_commit(&repository, &name, &format!("feat: by key {at}"));
        assert_eq!(newest(&repository, "--signatures .git/signers"), told("verified", None), "{flags:?}");
        // Git says the same.
        let file = format!("gpg.ssh.allowedSignersFile={}", repository.path().join(".git/signers").display());
        repository.git(&["-c", &file, "verify-commit", &id]);
        assert_eq!(newest(&repository, ""), told("present", None), "nobody was named");

        // One letter less, and it is another commit.
        let object = repository.git(&["cat-file", "commit", "HEAD"]);
        replace(&repository, &object.replace("feat: by key", "feat: by k"));
        assert_eq!(newest(&repository, "--signatures .git/signers"), told("present", Some("wrong")));
        repository.git(&["reset", "--quiet", "--hard", &id]);
    }
    repository.commit("fix: without");
    let line = "notes generate --unreleased --format json --signatures .git/signers";
    let answer = kyklos(repository.path()).args(line).run().expect(0).json();
    let release = &answer["data"]["releases"][0];
    assert_eq!(release["commit_signatures"], serde_json::json!({"none": 1, "present": 0, "verified": 5}));
    assert_eq!(release["sections"][0]["entries"][0]["signer"], "ada4@example.com");
    // By the setting of git as well, relative to the top of the work tree.
    repository.git(&["config", "gpg.ssh.allowedSignersFile", ".git/signers"]);
    let answer =
        kyklos(repository.path()).args("notes generate --unreleased --format json").run().expect(0).json();
    assert_eq!(answer["data"]["releases"][0]["commit_signatures"]["verified"], 5);
}

#[test]
fn what_an_allowed_signer_may_not_do() {
    if !there("ssh-keygen", "-?") {
        return;
    }
    let repository = Repository::new();
    let key = ssh_key(&repository, "key", &["-t", "ed25519"]);
    let other = ssh_key(&repository, "other", &["-t", "ed25519"]);
    // Commits of this repository are made at the first minute of 2026.
    ssh_commit(&repository, "key", "feat: signed");
    for (line, expected) in [
        (format!("ada {key}"), told("verified", None)),
        (format!("ada valid-after=\"20251231\",valid-before=\"20260102Z\" {key}"), told("verified", None)),
        (format!("ada valid-before=\"20251231\" {key}"), told("present", Some("expired"))),
        (format!("ada valid-after=\"20260102000000Z\" {key}"), told("present", Some("expired"))),
        (format!("ada namespaces=\"file\" {key}"), told("present", Some("not-for-commits"))),
        (format!("ada namespaces=\"file\" {key}\nbob namespaces=\"g*\" {key}"), told("verified", None)),
        (format!("ada cert-authority {key}"), told("present", Some("not-for-commits"))),
        (format!("ada {other}"), told("present", Some("unknown-key"))),
        (format!("# ada {key}\nada {other}"), told("present", Some("unknown-key"))),
    ] {
        repository.write(".git/signers", &line);
        assert_eq!(newest(&repository, "--signatures .git/signers"), expected, "{line}");
    }
    repository.write(".git/signers", format!("ada {key}\nada valid-before=\"never\" {key}\n"));
    let run_ = kyklos(repository.path()).args("notes generate --unreleased --signatures .git/signers").run();
    assert_eq!(run_.code(), 2);
    assert!(run_.stderr().contains("error[ssh-keys]: line 2 cannot be read"), "{}", run_.show());

    // Taken back: as a list of keys, and as a binary one.
    repository.write(".git/signers", format!("ada {key}\nada {other}\n"));
    repository.write(".git/revoked", format!("{key}\n"));
    let line = "--signatures .git/signers --revoked .git/revoked";
    assert_eq!(newest(&repository, line), told("present", Some("revoked")));
    let git = repository.path().join(".git");
    run("ssh-keygen", &["-q", "-k", "-f", "revoked", "other.pub"], &git);
    assert_eq!(newest(&repository, line), told("verified", None));
    run("ssh-keygen", &["-q", "-k", "-u", "-f", "revoked", "key.pub"], &git);
    assert_eq!(newest(&repository, line), told("present", Some("revoked")));
    repository.git(&["config", "gpg.ssh.revocationFile", ".git/revoked"]);
    assert_eq!(newest(&repository, "--signatures .git/signers"), told("present", Some("revoked")));
    std::fs::remove_file(git.join("revoked")).unwrap();
    let run_ = kyklos(repository.path()).args("notes generate --unreleased --signatures .git/signers").run();
    assert_eq!(run_.code(), 2, "a list that is named and missing takes nothing for granted");
}

#[test]
fn a_signature_for_something_else_is_none_of_the_commit() {
    if !there("ssh-keygen", "-?") {
        return;
    }
    let repository = Repository::new();
    let key = ssh_key(&repository, "key", &["-t", "ed25519"]);
    repository.write(".git/signers", format!("ada {key}\n"));
    repository.commit("feat: to be signed");
    let object = repository.git(&["cat-file", "commit", "HEAD"]) + "\n";
    let git = repository.path().join(".git");
    for (namespace, expected) in
        [("git", told("verified", None)), ("file", told("present", Some("not-for-commits")))]
    {
        std::fs::write(git.join("payload"), &object).unwrap();
        let _ = std::fs::remove_file(git.join("payload.sig"));
        run("ssh-keygen", &["-q", "-Y", "sign", "-f", "key", "-n", namespace, "payload"], &git);
        let signature = std::fs::read_to_string(git.join("payload.sig")).unwrap();
        let header = format!("gpgsig {}\n", signature.trim_end().replace('\n', "\n "));
        let (head, message) = object.split_once("\n\n").unwrap();
        let signed = format!("{head}\n{header}\n{message}");
        replace(&repository, &signed);
        assert_eq!(newest(&repository, "--signatures .git/signers"), expected, "{namespace}");
        // Twice in one header, and in a form of its own.
        replace(&repository, &format!("{head}\n{header}{header}\n{message}"));
        assert_eq!(newest(&repository, "--signatures .git/signers"), told("present", Some("not-understood")));
    }
    let (head, message) = object.split_once("\n\n").unwrap();
    replace(
        &repository,
        &format!(
            "{head}\ngpgsig -----BEGIN SIGNED MESSAGE-----\n MII=\n -----END SIGNED MESSAGE-----\n\n{message}"
        ),
    );
    assert_eq!(newest(&repository, "--signatures .git/signers"), told("present", Some("not-understood")));
}

/// A home of GnuPG of its own, and the program git is told to use with it.
struct Gpg {
    home: tempfile::TempDir,
}

impl Gpg {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        }
        Self { home }
    }

    fn run(&self, arguments: &[&str]) -> String {
        let home = self.home.path().to_str().unwrap();
        let quiet = [
            "--homedir",
            home,
            "--batch",
            "--quiet",
            "--yes",
            "--passphrase",
            "",
            "--pinentry-mode",
            "loopback",
        ];
        run("gpg", &[&quiet, arguments].concat(), self.home.path())
    }

    /// Makes a key and returns its fingerprint.
    fn key(&self, name: &str, algorithm: &str, usage: &str, flags: &[&str]) -> String {
        let id = format!("{name} <{name}@example.com>");
        self.run(&[flags, &["--quick-gen-key", &id, algorithm, usage, "never"]].concat());
        self.fingerprints(name)[0].clone()
    }

    /// The fingerprints of a key and its subkeys.
    fn fingerprints(&self, name: &str) -> Vec<String> {
        let listing = self.run(&["--list-keys", "--with-colons", name]);
        let lines = listing.lines().filter_map(|line| line.strip_prefix("fpr:::::::::"));
        lines.map(|line| line.trim_end_matches(':').to_owned()).collect()
    }

    fn commit(&self, repository: &Repository, key: &str, more: &str, message: &str) -> String {
        let program = self.home.path().join("gpg.sh");
        let home = self.home.path().display();
        std::fs::write(
            &program,
            format!("#!/bin/sh\nexec gpg --homedir '{home}' --batch --yes --passphrase '' --pinentry-mode loopback {more} \"$@\"\n"),
        )
        .unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let program = format!("gpg.program={}", program.display());
        let sign = format!("--gpg-sign={key}");
        repository.git(&["-c", &program, "commit", "--quiet", "--allow-empty", &sign, "--message", message]);
        repository.git(&["rev-parse", "HEAD"])
    }

    fn export(&self, repository: &Repository, name: &str) {
        let text = self.run(&["--armor", "--export", name]);
        repository.write(".git/keyring.asc", text);
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let home = self.home.path().to_str().unwrap_or_default();
        // The agent it started; where there is none there is nothing to end.
        let _ = Command::new("gpgconf").args(["--homedir", home, "--kill", "gpg-agent"]).output();
    }
}

const KEYRING: &str = "--signatures .git/keyring.asc";

#[test]
fn openpgp_keys_of_every_kind() {
    if !there("gpg", "--version") {
        return;
    }
    let gpg = Gpg::new();
    let repository = Repository::new();
    for (name, algorithm, hash) in [
        ("rsa", "rsa2048", "--digest-algo SHA256"),
        ("rsa-long", "rsa3072", "--digest-algo SHA384"),
        ("eddsa", "ed25519", ""),
        ("ecdsa", "nistp256/ecdsa", ""),
        ("ecdsa-mixed", "nistp256/ecdsa", "--digest-algo SHA512"),
        ("ecdsa-long", "nistp384/ecdsa", ""),
        ("ecdsa-longest", "nistp521/ecdsa", ""),
    ] {
        let key = gpg.key(name, algorithm, "sign", &[]);
        let id = gpg.commit(&repository, &key, hash, &format!("feat: by {name}"));
        gpg.export(&repository, &key);
        assert_eq!(newest(&repository, KEYRING), told("verified", None), "{name}");
        let object = repository.git(&["cat-file", "commit", "HEAD"]);
        replace(&repository, &object.replace("feat: by", "feat:  by"));
        assert_eq!(newest(&repository, KEYRING), told("present", Some("wrong")), "{name}");
        repository.git(&["reset", "--quiet", "--hard", &id]);
    }
    // The last keyring does not hold the others.
    let line = format!("notes generate --unreleased --format json {KEYRING}");
    let answer = kyklos(repository.path()).args(&line).run().expect(0).json();
    let release = &answer["data"]["releases"][0];
    assert_eq!(release["commit_signatures"], serde_json::json!({"none": 0, "present": 6, "verified": 1}));
    let entries = release["sections"][0]["entries"].as_array().unwrap();
    let signer = entries[0]["signer"].as_str().unwrap();
    assert!(signer.starts_with("ecdsa-longest <ecdsa-longest@example.com> "), "{signer}");
    assert_eq!(entries[1]["signature_doubt"], Value::from("unknown-key"));
    // Not armored, and with the fingerprint of a hash that proves nothing.
    let key = gpg.key("weak", "rsa2048", "sign", &[]);
    gpg.commit(&repository, &key, "--digest-algo SHA1 --allow-weak-digest-algos", "feat: weak");
    let file = repository.path().join(".git/keyring.gpg");
    gpg.run(&["--output", file.to_str().unwrap(), "--export"]);
    assert_eq!(newest(&repository, "--signatures .git/keyring.gpg"), told("present", Some("not-understood")));
    let answer =
        kyklos(repository.path()).args(&line.replace("keyring.asc", "keyring.gpg")).run().expect(0).json();
    assert_eq!(answer["data"]["releases"][0]["commit_signatures"]["verified"], 7);
}

#[test]
fn openpgp_subkeys_expiry_and_revocation() {
    if !there("gpg", "--version") {
        return;
    }
    let gpg = Gpg::new();
    let repository = Repository::new();
    let long_ago = ["--faked-system-time", "20200101T000000!"];

    // A primary key that only certifies, and a subkey that signs.
    let primary = gpg.key("sub", "ed25519", "cert", &[]);
    gpg.run(&["--quick-add-key", &primary, "ed25519", "sign", "1y"]);
    let subkey = gpg.fingerprints("sub")[1].clone();
    gpg.commit(&repository, &format!("{subkey}!"), "", "feat: by a subkey");
    gpg.export(&repository, &primary);
    assert_eq!(newest(&repository, KEYRING), told("verified", None));

    // A subkey that ended, used in its time and behind its end.
    let aged = gpg.key("aged", "ed25519", "sign", &long_ago);
    gpg.run(&[&long_ago[..], &["--quick-add-key", &aged, "ed25519", "sign", "30d"]].concat());
    let ended = gpg.fingerprints("aged")[1].clone();
    gpg.export(&repository, &aged);
    let in_time = "--faked-system-time '20200110T000000!'";
    gpg.commit(&repository, &format!("{ended}!"), in_time, "feat: in time");
    assert_eq!(newest(&repository, KEYRING), told("verified", None));
    // Its owner made it longer, signed, and the keyring here is the old one.
    gpg.run(&["--faked-system-time", "20200115T000000!", "--quick-set-expire", &aged, "2y", &ended]);
    gpg.commit(
        &repository,
        &format!("{ended}!"),
        "--faked-system-time '20210601T000000!'",
        "feat: behind its end",
    );
    assert_eq!(newest(&repository, KEYRING), told("present", Some("expired")));
    gpg.export(&repository, &aged);
    assert_eq!(newest(&repository, KEYRING), told("verified", None));

    // Taken back, whenever the signature was made.
    let revoked = gpg.key("gone", "ed25519", "sign", &[]);
    gpg.commit(&repository, &revoked, "", "feat: by a key that is gone");
    gpg.export(&repository, &revoked);
    assert_eq!(newest(&repository, KEYRING), told("verified", None));
    let file = gpg.home.path().join(format!("openpgp-revocs.d/{revoked}.rev"));
    let certificate = std::fs::read_to_string(&file).unwrap().replace(":-----BEGIN", "-----BEGIN");
    std::fs::write(gpg.home.path().join("rev"), certificate).unwrap();
    gpg.run(&["--import", gpg.home.path().join("rev").to_str().unwrap()]);
    let before = std::fs::read(repository.path().join(".git/keyring.asc")).unwrap();
    gpg.export(&repository, &revoked);
    assert_eq!(newest(&repository, KEYRING), told("present", Some("revoked")));
    // An old copy of the key beside the new one does not bring it back.
    let mut both = before;
    both.extend(std::fs::read(repository.path().join(".git/keyring.asc")).unwrap());
    repository.write(".git/keyring.asc", both);
    assert_eq!(newest(&repository, KEYRING), told("present", Some("revoked")));
}

#[test]
fn keyrings_that_are_none() {
    let repository = Repository::new();
    repository.commit("feat: x");
    for (content, code) in [
        (
            "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nxxxx\n-----END PGP PRIVATE KEY BLOCK-----\n",
            "openpgp-data",
        ),
        ("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nxxxx\n", "openpgp-data"),
        ("\0\0\0\x20\x01\x01\0\x02KBXf\0\0\0\0", "openpgp-keyring"),
        ("ada", "ssh-keys"),
    ] {
        repository.write("keys", content);
        let run =
            kyklos(repository.path()).args("notes generate --unreleased --signatures keys").run().expect(2);
        assert!(run.stderr().contains(&format!("error[{code}]")), "{}", run.show());
        assert!(run.stderr().contains("keys"), "{}", run.show());
    }
    let run =
        kyklos(repository.path()).args("notes generate --unreleased --signatures missing").run().expect(2);
    assert!(run.stderr().contains("missing"), "{}", run.show());
}
