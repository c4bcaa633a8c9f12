//! The corpus of the fuzz targets, replayed on stable.

use std::path::Path;

/// What a target does with bytes.
type Target = fn(&[u8]);

/// One target per format of `src/format/`, by name.
const TARGETS: &[(&str, Target)] = &[
    ("auditable", |bytes| {
        let _ = kyklos_release::format::auditable::decode(bytes);
    }),
    ("binary", |bytes| {
        if let Ok(binary) = kyklos_release::format::binary::Binary::parse(bytes) {
            let _ = kyklos_release::format::go_buildinfo::read(&binary);
        }
    }),
    ("bundle", |bytes| {
        let _ = kyklos_release::format::bundle::statement(bytes);
    }),
    ("cargo_lock", |bytes| {
        let _ = kyklos_release::format::cargo_lock::CargoLock::parse(bytes);
    }),
    ("changelog", |bytes| {
        if let Ok(text) = std::str::from_utf8(bytes) {
            let outline = kyklos_release::format::changelog::Outline::parse(text);
            assert!(outline.definitions <= text.len());
        }
    }),
    ("challenge", |bytes| {
        if let Ok(text) = std::str::from_utf8(bytes) {
            let _ = kyklos_release::format::challenge::parse(text);
        }
    }),
    ("checksums", |bytes| {
        let _ = kyklos_release::format::checksums::read(bytes);
    }),
    ("cliff", |bytes| {
        if let Ok(cliff) = kyklos_release::format::cliff::Cliff::parse(bytes, "cliff.toml") {
            let _ = kyklos_release::notes::import::import(&cliff, "cliff.toml");
        }
    }),
    ("conventional", |bytes| {
        if let Ok(text) = std::str::from_utf8(bytes) {
            let _ = kyklos_release::format::conventional::parse(text);
        }
    }),
    ("cyclonedx", |bytes| {
        let _ = kyklos_release::format::cyclonedx::parse(bytes);
    }),
    ("docker_archive", |bytes| {
        let _ = kyklos_release::format::docker_archive::read(bytes);
    }),
    ("docker_config", |bytes| {
        if let Ok(config) = kyklos_release::format::docker_config::DockerConfig::parse(bytes) {
            let _ = config.login("ghcr.io", "org/app");
        }
        let _ = kyklos_release::format::docker_config::helper_answer(bytes);
    }),
    ("gotest", |bytes| {
        let _ = kyklos_release::format::gotest::read(bytes);
    }),
    ("intoto", |bytes| {
        let _ = kyklos_release::format::intoto::Statement::parse(bytes);
    }),
    ("junit", |bytes| {
        let _ = kyklos_release::format::junit::read(bytes);
    }),
    ("markdown", |bytes| {
        if let Ok(text) = std::str::from_utf8(bytes) {
            assert!(!kyklos_release::format::markdown::text(text).contains('\n'));
        }
    }),
    ("oci", |bytes| {
        let _ = kyklos_release::format::oci::Document::parse(bytes, None);
    }),
    ("openpgp", |bytes| {
        let _ = kyklos_release::format::openpgp::keyring(bytes);
        if let Ok(text) = std::str::from_utf8(bytes) {
            let _ = kyklos_release::format::openpgp::PgpSignature::parse(text);
        }
    }),
    ("purl", |bytes| {
        if let Ok(text) = std::str::from_utf8(bytes) {
            let _ = text.parse::<kyklos_release::format::purl::Purl>();
        }
    }),
    ("reference", |bytes| {
        if let Ok(text) = std::str::from_utf8(bytes)
            && let Ok(target) = text.parse::<kyklos_release::model::Target>()
        {
            assert_eq!(target.to_string().parse(), Ok(target));
        }
    }),
    ("release_manifest", |bytes| {
        let _ = kyklos_release::format::release_manifest::decode(bytes);
    }),
    ("withdrawal", |bytes| {
        if let Ok(body) = std::str::from_utf8(bytes) {
            let again = kyklos_release::format::withdrawal::prepend(body, "why");
            let found = kyklos_release::format::withdrawal::find(&again);
            assert_eq!(found.map(|found| found.reason), Some("why"));
        }
    }),
    ("sshsig", |bytes| {
        let _ = kyklos_release::format::sshsig::allowed_signers(bytes);
        let _ = kyklos_release::format::sshsig::Revoked::parse(bytes);
        if let Ok(text) = std::str::from_utf8(bytes)
            && let Ok(signature) = kyklos_release::format::sshsig::SshSignature::parse(text)
        {
            let _ = kyklos_release::format::sshsig::SshKey::parse(&signature.key);
        }
    }),
    ("yaml", |bytes| {
        let _ = kyklos_release::config::Config::load(bytes, "release.yaml");
        let _ = kyklos_release::gate::Policy::load(bytes, "policy.yaml");
    }),
];

/// Formats that are written and never read, or that another target reaches.
const WITHOUT: &[&str] = &["canonical", "go_buildinfo", "mod", "source_archive"];

#[test]
fn the_corpus_breaks_nothing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, target) in TARGETS {
        let mut seeds = 0;
        for entry in std::fs::read_dir(root.join(name)).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            target(&bytes);
            // Damage that fuzzers find first.
            for at in 0..bytes.len() {
                target(&bytes[..at]);
                let mut flipped = bytes.clone();
                flipped[at] ^= 0x80;
                target(&flipped);
            }
            seeds += 1;
        }
        assert!(seeds > 0, "{name} has no seed");
    }
}

#[test]
fn every_format_has_a_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in std::fs::read_dir(root.join("src/format")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if WITHOUT.contains(&name.as_str()) {
            continue;
        }
        assert!(TARGETS.iter().any(|(target, _)| *target == name), "{name} has no fuzz target");
        assert!(root.join("fuzz/fuzz_targets").join(format!("{name}.rs")).exists(), "{name}");
    }
}
