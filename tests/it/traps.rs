//! What a build machine, a crate or a server must not decide: traps that were met when the dependencies were chosen,
//! each with the test that would notice if one closed.

use kyklos_release::format::binary::Binary;
use kyklos_release::format::oci::{Descriptor, MANIFEST_LIMIT, media_type};
use kyklos_release::model::Digest;
use kyklos_release::port::{Registry as _, RegistryError};

use crate::support::command::kyklos;
use crate::support::crafted::gzip;
use crate::support::elf;
use crate::support::registry::{Fault, Options, TestRegistry};

/// A trap: its number, what it does, and the tests that notice, as file and function.
type Trap = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// Every trap.
const TRAPS: &[Trap] = &[
    (
        "T1",
        "libz is linked dynamically where its headers are found",
        &[("tests/it/traps.rs", "the_binary_needs_no_library_but_those_of_libc")],
    ),
    (
        "T2",
        "aws-lc-sys links a system AWS-LC where it finds one",
        &[("tests/it/traps.rs", "a_system_aws_lc_is_never_linked")],
    ),
    (
        "T3",
        "a client decodes bodies, and digests are of other bytes than those sent",
        &[("tests/it/traps.rs", "a_body_is_never_decoded")],
    ),
    (
        "T4",
        "a system without certificate authorities fails every client, also without TLS",
        &[("tests/it/cli/network.rs", "a_system_without_certificate_authorities_can_still_be_used")],
    ),
    (
        "T5",
        "oci-client falls back to other settings than asked for",
        &[("tests/it/traps.rs", "crates_that_spring_a_trap_are_not_shipped")],
    ),
    (
        "T6",
        "octocrab repeats requests that may have taken effect",
        &[
            ("tests/it/traps.rs", "crates_that_spring_a_trap_are_not_shipped"),
            ("tests/it/wire/faults.rs", "every_request_may_go_wrong_once"),
            ("tests/it/flow/kill.rs", "every_call_may_be_the_last"),
        ],
    ),
    (
        "T7",
        "ambient-id makes a client of its own",
        &[("tests/it/traps.rs", "crates_that_spring_a_trap_are_not_shipped")],
    ),
    (
        "T8",
        "libgit2 refuses repositories with reftable, SHA-256 or another owner",
        &[
            ("tests/it/cli/git.rs", "other_formats_are_named"),
            ("tests/it/cli/git.rs", "a_repository_of_another_user_is_not_trusted"),
        ],
    ),
    (
        "T9",
        "network transports of libgit2 bring OpenSSL and libssh2",
        &[("tests/it/traps.rs", "crates_that_spring_a_trap_are_not_shipped")],
    ),
    (
        "T10",
        "libgit2 has a licence that no crate declares",
        &[("tests/it/traps.rs", "the_licence_of_libgit2_is_told")],
    ),
    (
        "T11",
        "cyclonedx-bom stops at version 1.5 of the specification",
        &[
            ("tests/it/traps.rs", "crates_that_spring_a_trap_are_not_shipped"),
            ("tests/it/traps.rs", "what_a_lock_file_lists_is_not_taken_for_what_was_built"),
        ],
    ),
    (
        "T12",
        "jsonschema fetches what a schema refers to",
        &[("tests/it/traps.rs", "crates_that_spring_a_trap_are_not_shipped")],
    ),
    (
        "T13",
        "YAML guesses: keys that stand twice, `no`, 010, 1_000",
        &[
            ("src/format/yaml.rs", "refuses_what_would_be_guessed"),
            ("src/format/yaml.rs", "numbers_of_other_languages_are_none"),
            ("tests/it/cli/gate.rs", "a_number_that_yaml_versions_read_differently_is_refused"),
        ],
    ),
    (
        "T14",
        "`cargo build` and `cargo test` select other features and build everything twice",
        &[("tests/it/traps.rs", "continuous_integration_builds_once_and_as_locked")],
    ),
    (
        "T15",
        "a closed pipe ends the process with a panic",
        &[
            ("tests/it/cli/frame.rs", "a_closed_pipe_is_no_error"),
            ("tests/it/cli/network.rs", "a_closed_pipe_is_no_reason_to_fail"),
        ],
    ),
    (
        "T16",
        "paths of the build machine are in the binary that ships",
        &[("tests/it/traps.rs", "what_ships_is_built_without_paths_of_the_machine")],
    ),
    (
        "T17",
        "a lock file lists more than is built",
        &[("tests/it/traps.rs", "what_a_lock_file_lists_is_not_taken_for_what_was_built")],
    ),
    (
        "T18",
        "young crates change with every release",
        &[("tests/it/traps.rs", "continuous_integration_builds_once_and_as_locked")],
    ),
];

fn source(path: &str) -> String {
    let full = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&full).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_trap_has_a_test() {
    for (at, (id, what, tests)) in TRAPS.iter().enumerate() {
        assert_eq!(*id, format!("T{}", at + 1), "{what}");
        assert!(!tests.is_empty(), "{id}: {what}");
        for (path, name) in *tests {
            let text = source(path);
            let (before, _) = text
                .split_once(&format!("fn {name}()"))
                .unwrap_or_else(|| panic!("{id} ({what}): there is no test {name} in {path}"));
            let attributes: Vec<&str> = before
                .trim_end()
                .lines()
                .rev()
                .take_while(|line| line.trim_start().starts_with("#["))
                .collect();
            assert!(attributes.iter().any(|line| line.trim() == "#[test]"), "{id}: {name} is no test");
        }
    }
    assert_eq!(TRAPS.len(), 18);
}

#[test]
fn the_binary_needs_no_library_but_those_of_libc() {
    let bytes = std::fs::read(env!("CARGO_BIN_EXE_kyklos-release")).unwrap();
    let binary = Binary::parse(&bytes).unwrap();
    let known = ["libc.so", "libm.so", "libgcc_s.so", "libdl.so", "libpthread.so", "librt.so", "ld-linux"];
    for library in &binary.linkage.needed {
        assert!(known.iter().any(|known| library.starts_with(known)), "{library}: is libz-sys built static?");
    }
}

#[test]
fn a_system_aws_lc_is_never_linked() {
    let config: toml::Table = source(".cargo/config.toml").parse().unwrap();
    assert_eq!(config["env"]["AWS_LC_SYS_USE_SYSTEM"].as_str(), Some("0"));
}

#[test]
fn a_body_is_never_decoded() {
    let plain = b"content that gets shorter, shorter, shorter, shorter, shorter, shorter".to_vec();
    let packed = gzip(&plain);
    let host = TestRegistry::start(Options::default());
    let image: &[u8] =
        br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[]}"#;
    host.change("a", |stored| {
        stored.blobs.insert(Digest::of(&packed).to_string(), packed.clone().into());
        // A server that compresses on the way sends other bytes than those with the digest.
        stored.blobs.insert(Digest::of(&plain).to_string(), packed.clone().into());
        let digest = Digest::of(image).to_string();
        stored.manifests.insert(digest, (media_type::MANIFEST.to_owned(), image.to_vec()));
    });
    let registry = host.open("a");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for encoding in ["gzip", "x-gzip", "deflate", "br", "zstd"] {
        let labelled = || Fault::Header("Content-Encoding", encoding.to_owned());
        runtime.block_on(async {
            let read = async |bytes: &[u8]| {
                let blob = Descriptor::of(media_type::LAYER_GZIP, bytes);
                let mut reader = registry.blob(&blob).await?.unwrap();
                let read = tokio::task::spawn_blocking(move || {
                    let mut bytes = Vec::new();
                    std::io::Read::read_to_end(&mut reader, &mut bytes).map(|_| bytes)
                });
                read.await.unwrap().map_err(|error| RegistryError::of_read(error, "the blob"))
            };
            host.fail("GET", "blobs", 1, labelled());
            assert_eq!(read(&packed).await.unwrap(), packed, "{encoding}: the bytes as they were sent");
            host.fail("GET", "blobs", 1, labelled());
            let refused = read(&plain).await.unwrap_err();
            assert!(
                matches!(refused, RegistryError::DigestMismatch { .. } | RegistryError::SizeMismatch { .. }),
                "{encoding}: {refused}"
            );
            host.fail("GET", "manifests", 1, labelled());
            let found = registry.manifest(&Digest::of(image), MANIFEST_LIMIT).await.unwrap().unwrap();
            assert_eq!(found.bytes, image, "{encoding}");
        });
    }
    let log = host.log();
    assert!(log.len() >= 15);
    for request in log {
        let asked = request.headers.get("accept-encoding").map(String::as_str);
        assert!(matches!(asked, None | Some("identity")), "{} {}: {asked:?}", request.method, request.path);
    }
}

/// The packages of the lock file that the released program is built from: reachable from it without its development
/// dependencies.
fn shipped() -> std::collections::BTreeSet<String> {
    let lock: toml::Table = source("Cargo.lock").parse().unwrap();
    let manifest: toml::Table = source("Cargo.toml").parse().unwrap();
    let packages = lock["package"].as_array().unwrap();
    let below = |name: &str| -> Vec<String> {
        let of_name = packages.iter().filter(|package| package["name"].as_str() == Some(name));
        let named = of_name.filter_map(|package| package.get("dependencies")?.as_array()).flatten();
        named.filter_map(|name| Some(name.as_str()?.split(' ').next()?.to_owned())).collect()
    };
    let mut open: Vec<String> = manifest["dependencies"].as_table().unwrap().keys().cloned().collect();
    let mut seen = std::collections::BTreeSet::new();
    while let Some(name) = open.pop() {
        if seen.insert(name.clone()) {
            open.extend(below(&name));
        }
    }
    seen
}

#[test]
fn crates_that_spring_a_trap_are_not_shipped() {
    let shipped = shipped();
    assert!(shipped.contains("reqwest") && shipped.contains("aws-lc-sys"), "{shipped:?}");
    for name in [
        "oci-client",
        "oci-distribution",
        "octocrab",
        "ambient-id",
        "openssl-sys",
        "libssh2-sys",
        "native-tls",
        "cyclonedx-bom",
        "jsonschema",
        "serde_yaml",
        "serde_yml",
    ] {
        assert!(!shipped.contains(name), "{name}");
    }
}

#[test]
fn there_is_one_crypto_backend() {
    let deny: toml::Table = source("deny.toml").parse().unwrap();
    let banned: Vec<&str> =
        deny["bans"]["deny"].as_array().unwrap().iter().filter_map(|entry| entry["crate"].as_str()).collect();
    for name in ["ring", "openssl-sys", "native-tls"] {
        assert!(banned.contains(&name), "{name}");
    }
}

#[test]
fn the_licence_of_libgit2_is_told() {
    let notice = source("NOTICE");
    for words in ["libgit2-sys", "GNU General Public License, version 2, with a linking"] {
        assert!(notice.contains(words), "{words}");
    }
}

#[test]
fn continuous_integration_builds_once_and_as_locked() {
    let commands = source(".ci/run");
    let commands: Vec<&str> = commands.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    assert!(!commands.iter().any(|line| line.contains("cargo build")), "it builds everything a second time");
    let cargo: Vec<&&str> = commands
        .iter()
        .filter(|line| {
            ["test", "clippy", "doc", "install", "deny"]
                .iter()
                .any(|verb| line.contains(&format!("cargo {verb}")))
        })
        .collect();
    assert!(cargo.len() >= 5, "{cargo:?}");
    for line in cargo {
        assert!(line.contains("--locked"), "{line}");
    }
    let manifest: toml::Table = source("Cargo.toml").parse().unwrap();
    let dependencies = manifest["dependencies"].as_table().unwrap();
    let version = |value: &toml::Value| value.get("version").unwrap_or(value).as_str().unwrap().to_owned();
    let pinned: Vec<_> = dependencies.iter().filter(|(name, _)| name.starts_with("sigstore")).collect();
    assert!(pinned.len() >= 5);
    for (name, value) in pinned {
        assert!(version(value).starts_with('='), "{name} {}", version(value));
    }
}

#[test]
fn what_ships_is_built_without_paths_of_the_machine() {
    let script = source(".ci/dist");
    for words in
        ["CARGO_ENCODED_RUSTFLAGS", "--remap-path-prefix=", "-ffile-prefix-map=", "--profile dist --locked"]
    {
        assert!(script.contains(words), "{words}");
    }
    // It looks at what it has built, and fails.
    assert!(script.contains("paths of this machine are in"), "{script}");
}

#[test]
fn what_a_lock_file_lists_is_not_taken_for_what_was_built() {
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("app"), elf::elf("amd64", &[])).unwrap();
    let lock = "version = 4\n\n[[package]]\nname = \"winapi\"\nversion = \"0.3.9\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"5c839a674fcd7a98952e593242ea400abe93992746761e38641405d28b00f419\"\n";
    std::fs::write(here.path().join("Cargo.lock"), lock).unwrap();
    let run = kyklos(here.path()).args("sbom generate file:app --cargo-lock Cargo.lock").run().expect(0);
    let bom = run.json();
    assert_eq!(bom["specVersion"], "1.6");
    let components = bom["components"].as_array().unwrap();
    let file = components.iter().find(|one| one["type"] == "file").unwrap();
    let content = file["properties"].as_array().unwrap().iter();
    let content: Vec<_> = content.filter(|one| one["name"] == "kyklos-release:content").collect();
    assert_eq!(content[0]["value"], "declared");
    let whole =
        bom["compositions"].as_array().unwrap().iter().find(|one| one["assemblies"][0] == file["bom-ref"]);
    assert_ne!(whole.unwrap()["aggregate"], "complete", "{bom:#}");
}
