//! The corpus of the fuzz targets, replayed on stable.

use std::path::Path;
use std::sync::OnceLock;

use proptest::prelude::*;
use proptest::sample::Index;

/// What a target does with bytes.
type Target = fn(&[u8]);

/// One target per format of `src/format/`, and one for each reader elsewhere that takes foreign bytes, by name.
const TARGETS: &[(&str, Target)] = &[
    ("archive", |bytes| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let _ = kyklos_release::adapter::oci::Archive::open(file.path());
        let _ = kyklos_release::adapter::oci::import(file.path());
    }),
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
    ("layer", |bytes| {
        use kyklos_release::format::oci::media_type;
        for kind in [media_type::LAYER, media_type::LAYER_GZIP, media_type::LAYER_ZSTD] {
            let content = Box::new(std::io::Cursor::new(bytes.to_vec()));
            let mut facts = kyklos_release::image::LayerFacts::default();
            let limits = kyklos_release::image::LayerLimits::default();
            let algorithm = kyklos_release::model::DigestAlgorithm::Sha256;
            if kyklos_release::image::scan(content, kind, algorithm, limits, &mut facts).is_err() {
                assert_eq!(facts, kyklos_release::image::LayerFacts::default());
            }
        }
    }),
    ("markdown", |bytes| {
        if let Ok(text) = std::str::from_utf8(bytes) {
            assert!(!kyklos_release::format::markdown::text(text).contains('\n'));
        }
    }),
    ("oci", |bytes| {
        use kyklos_release::format::oci;
        let _ = oci::Document::parse(bytes, None);
        let _ = oci::ImageConfig::parse(bytes);
        let _ = oci::LayoutFile::parse(bytes);
    }),
    ("openpgp", |bytes| {
        let _ = kyklos_release::format::openpgp::keyring(bytes);
        if let Ok(text) = std::str::from_utf8(bytes) {
            let _ = kyklos_release::format::openpgp::PgpSignature::parse(text);
        }
    }),
    ("pack", |bytes| {
        use kyklos_release::format::pack;
        let _ = pack::Index::parse(bytes, bytes.len() as u64);
        if let Some(entry) = pack::entry(bytes) {
            assert!(entry.head <= bytes.len());
        }
        let (base, delta) = bytes.split_at(bytes.len() / 2);
        let mut out = Vec::new();
        if pack::apply(base, delta, 1 << 20, &mut out).is_some() {
            assert!(out.len() <= 1 << 20);
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
const WITHOUT: &[&str] = &["canonical", "go_buildinfo", "mod", "source_archive", "toml"];

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

/// The seeds of a target, in the order of their names.
fn seeds(target: &str) -> &'static [Vec<u8>] {
    static SEEDS: OnceLock<Vec<Vec<Vec<u8>>>> = OnceLock::new();
    let all = SEEDS.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
        let read = |(name, _): &(&str, Target)| {
            let mut paths: Vec<_> =
                std::fs::read_dir(root.join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
            paths.sort();
            paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
        };
        TARGETS.iter().map(read).collect()
    });
    &all[TARGETS.iter().position(|(name, _)| *name == target).unwrap()]
}

/// One piece of damage.
#[derive(Debug, Clone)]
enum Damage {
    Flip(Index, u8),
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, Index),
    Repeat(Index, Index, u16),
    Swap(Index, Index, Index),
    Other(Index, Index, Index),
}

/// What parsers trip over.
const PIECES: [&[u8]; 24] = [
    b"\n",
    b"\r\n",
    b"\0",
    b" ",
    b"{",
    b"[",
    b"\"",
    b"<",
    b"```",
    b"://",
    b"%00",
    b"\xff\xfe",
    b"\xe2\x80\xae",
    b"-1",
    b"18446744073709551616",
    b"1e999",
    b"null",
    b"-----BEGIN PGP SIGNATURE-----",
    b"&#x0;",
    b"!!",
    b"*a",
    b"&a [*a]",
    b"BREAKING CHANGE: ",
    b"\xef\xbb\xbf",
];

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    let piece = prop_oneof![
        3 => prop::sample::select(PIECES.to_vec()).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 1..9),
    ];
    prop_oneof![
        (at(), 0u8..8).prop_map(|(at, bit)| Damage::Flip(at, 1 << bit)),
        (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        (at(), piece).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (at(), at()).prop_map(|(from, to)| Damage::Remove(from, to)),
        (at(), at(), 2u16..400).prop_map(|(from, to, times)| Damage::Repeat(from, to, times)),
        (at(), at(), at()).prop_map(|(one, two, three)| Damage::Swap(one, two, three)),
        (at(), at(), at()).prop_map(|(seed, from, to)| Damage::Other(seed, from, to)),
    ]
}

/// More than any seed, and little enough for thousands of them.
const MAX_DAMAGED: usize = 64 << 10;

impl Damage {
    fn apply(&self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let place = |at: &Index, bytes: &[u8]| at.index(bytes.len() + 1);
        let span = |from: &Index, to: &Index, bytes: &[u8]| {
            let (from, to) = (place(from, bytes), place(to, bytes));
            from.min(to)..from.max(to)
        };
        match self {
            Self::Flip(at, mask) => {
                let at = place(at, bytes);
                bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= mask);
            }
            Self::Set(at, new) => {
                let at = place(at, bytes);
                bytes.get_mut(at).into_iter().for_each(|byte| *byte = *new);
            }
            Self::Insert(at, new) => {
                let at = place(at, bytes);
                bytes.splice(at..at, new.iter().copied());
            }
            Self::Remove(from, to) => drop(bytes.drain(span(from, to, bytes))),
            Self::Repeat(from, to, times) => {
                let span = span(from, to, bytes);
                let part = bytes[span.clone()].repeat(usize::from(*times));
                bytes.splice(span, part.into_iter().take(MAX_DAMAGED));
            }
            Self::Swap(one, two, three) => {
                let mut places = [place(one, bytes), place(two, bytes), place(three, bytes)];
                places.sort_unstable();
                bytes[places[0]..places[2]].rotate_left(places[1] - places[0]);
            }
            Self::Other(seed, from, to) => {
                let other = &seeds[seed.index(seeds.len())];
                let at = place(from, bytes);
                bytes.splice(at..at, other[span(from, to, other)].iter().copied());
            }
        }
        bytes.truncate(MAX_DAMAGED);
    }
}

proptest! {
    // A campaign of any length: PROPTEST_CASES=1000000 cargo test --release --test it corpus
    #[test]
    fn damage_breaks_nothing(
        target in prop::sample::select(TARGETS.iter().map(|(name, target)| (*name, *target)).collect::<Vec<_>>()),
        seed in any::<Index>(),
        damage in prop::collection::vec(damage(), 1..9),
    ) {
        let (name, target) = target;
        let seeds = seeds(name);
        let mut bytes = seeds[seed.index(seeds.len())].clone();
        for damage in &damage {
            damage.apply(&mut bytes, seeds);
        }
        target(&bytes);
    }
}
