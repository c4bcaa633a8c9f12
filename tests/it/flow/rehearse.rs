//! The whole release, through the binary, in real repositories.

use std::path::{Path, PathBuf};

use kyklos_release::adapter::sigstore::LocalTrust;
use kyklos_release::format::release_manifest;
use kyklos_release::model::{Digest, ReleaseAsset, ReleaseManifest};
use kyklos_release::port::Trust as _;

use super::world::{block_on, scratch, tree};
use crate::support::command::{Kyklos, Run, kyklos};
use crate::support::elf;
use crate::support::repository::Repository;
use crate::support::skipped;

/// A repository with a release behind it and executables for two platforms.
fn repository() -> Repository {
    let repository = Repository::new();
    repository.write("README.md", "# app\n");
    repository.commit("feat: the first feature");
    repository.tag("v0.1.0");
    repository.write(
        "release.yaml",
        "name: app\nassets: [install.yaml]\nimage:\n  repository: registry.example/acme/app\n",
    );
    repository.write("install.yaml", "kind: List\n");
    repository.write(".gitignore", "bin/\nrehearsal/\n");
    repository.commit("feat(api): a second feature\n\nCloses #7");
    repository.commit("fix: <img src=x> and @acme/everyone");
    for architecture in ["amd64", "arm64"] {
        repository.write(&format!("bin/app-{architecture}"), elf::go(architecture, elf::MODULES));
    }
    repository
}

fn rehearse(repository: &Repository, more: &str) -> Run {
    command(repository, more).run()
}

fn command(repository: &Repository, more: &str) -> Kyklos {
    let binaries = "rehearse --binary linux/amd64=bin/app-amd64 --binary linux/arm64=bin/app-arm64";
    kyklos(repository.path()).args(binaries).args(more)
}

/// The command in the last line of a rehearsal, run from somewhere else.
fn consume(out: &str) -> Run {
    let elsewhere = tempfile::tempdir().unwrap();
    let line = out.lines().last().unwrap().strip_prefix("kyklos-release ").unwrap();
    kyklos(elsewhere.path()).args(line).run()
}

#[test]
fn a_rehearsal_is_a_release_that_a_consumer_can_check() {
    let repository = repository();
    let run = rehearse(&repository, "").expect(0);
    let talk = run.stderr();
    for step in [
        "Archived",
        "Assembled",
        "Cataloged 2 components in 2 executables",
        "Signed",
        "Judged pass image",
        "Planned 15 files",
        "Published v0.2.0",
        "Verified 15 files",
    ] {
        assert!(talk.contains(step), "{step}\n{talk}");
    }
    let checked = consume(&run.stdout()).expect(0);
    assert!(checked.stdout().starts_with("verified: "), "{}", checked.show());
    let ignored = std::fs::read_to_string(repository.path().join("rehearsal/.gitignore")).unwrap();
    assert_eq!(ignored, "*\n", "the throw-away keys are not for a commit");
    let assets = repository.path().join("rehearsal/forge/releases/v0.2.0/assets");
    let read = |name: &str| std::fs::read_to_string(assets.join(name)).unwrap();
    assert_eq!(read("install.yaml"), "kind: List\n");
    let changelog = read("CHANGELOG-v0.2.0.md");
    assert!(changelog.contains("- **api:** a second feature"), "{changelog}");
    assert!(!changelog.contains("the first feature"), "{changelog}");
    assert!(!changelog.contains("<img") || changelog.contains("\\<img"), "{changelog}");
    assert!(changelog.contains("and `@acme/everyone`"), "a mention is a code span: {changelog}");
    let sbom: serde_json::Value = serde_json::from_str(&read("sbom.json")).unwrap();
    let purls: Vec<_> = sbom["components"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|component| component["purl"].as_str())
        .collect();
    assert_eq!(purls, ["pkg:golang/github.com/acme/lib@v1.2.3", "pkg:golang/stdlib@1.26.8"]);
    let digests = read("image-digests.txt");
    assert_eq!(digests.lines().count(), 3);
    assert!(digests.lines().next().unwrap().ends_with(" registry.example/acme/app:v0.2.0"), "{digests}");
}

#[test]
fn a_tag_is_rehearsed_with_the_files_it_had() {
    let repository = repository();
    repository.tag("v0.2.0");
    repository.write("install.yaml", "kind: Other\n");
    repository.write("release.yaml", "name: other\nassets: [install.yaml]\n");
    repository.commit("feat: what comes after");
    let out = rehearse(&repository, "--tag v0.2.0").expect(0).stdout();
    assert!(out.starts_with("\napp v0.2.0 was made"), "{out}");
    let assets = repository.path().join("rehearsal/forge/releases/v0.2.0/assets");
    assert_eq!(std::fs::read_to_string(assets.join("install.yaml")).unwrap(), "kind: List\n");
    assert!(assets.join("app-linux-amd64").exists());
}

#[test]
fn the_json_answer_names_the_release() {
    let repository = repository();
    let answer = rehearse(&repository, "--format json").expect(0).json();
    assert_eq!(answer["schema"], "kyklos-release/rehearse/v1");
    assert_eq!((&answer["ok"], &answer["data"]["tag"]), (&true.into(), &"v0.2.0".into()));
    assert_eq!(answer["data"]["assets"], 15);
}

#[test]
fn a_second_run_changes_nothing_and_another_commit_starts_anew() {
    let repository = repository();
    let _ = rehearse(&repository, "").expect(0);
    let place = repository.path().join("rehearsal");
    let before = tree(&place);
    let again = rehearse(&repository, "").expect(0);
    assert!(again.stderr().contains("nothing changed"), "{}", again.show());
    assert!(tree(&place) == before);
    repository.commit("feat!: break it");
    let anew = rehearse(&repository, "").expect(0);
    assert!(anew.stderr().contains("replacing the rehearsal"), "{}", anew.show());
    let _ = consume(&anew.stdout()).expect(0);
}

#[test]
fn another_project_in_the_same_place_is_signed_by_another() {
    let repository = repository();
    let _ = rehearse(&repository, "").expect(0);
    let text = std::fs::read_to_string(repository.path().join("release.yaml")).unwrap();
    repository.write("release.yaml", text.replace("name: app", "name: other"));
    repository.commit("chore: another name");
    let run = rehearse(&repository, "").expect(0);
    assert!(run.stdout().contains("/rehearsal/other --issuer"), "{}", run.show());
    let _ = consume(&run.stdout()).expect(0);
}

#[test]
fn the_same_inputs_give_the_same_files() {
    let repository = repository();
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for place in [&one, &two] {
        let _ = command(&repository, "-o").arg(place.path()).run().expect(0);
    }
    let (left, right) = (tree(&one.path().join("dist")), tree(&two.path().join("dist")));
    for (name, bytes) in &left {
        if !name.ends_with(".sigstore.json") && name != "release-manifest.json" {
            assert!(right[name] == *bytes, "{name} differs");
        }
    }
}

/// Every file that a consumer relies on.
fn published(place: &Path) -> Vec<PathBuf> {
    let names = tree(place).into_keys().filter(|name| !name.ends_with('/'));
    names
        .filter(|name| name.starts_with("forge/") || name.starts_with("registry/"))
        .map(PathBuf::from)
        .collect()
}

fn refused(out: &str, file: &Path, what: &str) {
    let run = consume(out);
    assert_eq!(run.code(), 1, "{what} {}\n{}", file.display(), run.show());
    let name = file.file_name().unwrap().to_str().unwrap();
    let told = run.stdout() + &run.stderr();
    // Content of the registry may be told by its digest, or by the image it belongs to.
    let known = [name, file.to_str().unwrap(), "registry.example/acme/app"];
    assert!(known.iter().any(|known| told.contains(known)), "{what} {} is not named\n{told}", file.display());
}

#[test]
fn one_byte_anywhere_in_what_was_published_is_refused() {
    let repository = repository();
    let run = rehearse(&repository, "").expect(0);
    let place = repository.path().join("rehearsal");
    let out = run.stdout();
    for file in published(&place) {
        let full = place.join(&file);
        let good = std::fs::read(&full).unwrap();
        for at in [0, good.len() / 3, good.len() / 2, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&full, &bad).unwrap();
            refused(&out, &file, &format!("byte {at} flipped in"));
        }
        std::fs::write(&full, [&good[..], b"\n"].concat()).unwrap();
        refused(&out, &file, "a byte added to");
        std::fs::write(&full, &good[..good.len() - 1]).unwrap();
        refused(&out, &file, "a byte removed from");
        std::fs::remove_file(&full).unwrap();
        let gone = consume(&out);
        assert_ne!(gone.code(), 0, "{} removed\n{}", file.display(), gone.show());
        std::fs::write(&full, &good).unwrap();
    }
    let _ = consume(&out).expect(0);
}

#[test]
fn one_file_more_in_what_was_published_is_refused() {
    let repository = repository();
    let run = rehearse(&repository, "").expect(0);
    let place = repository.path().join("rehearsal");
    for file in [
        "forge/releases/v0.2.0/assets/extra.txt",
        "forge/releases/v0.2.0/extra.txt",
        "registry/extra",
        "registry/blobs/extra",
        "registry/blobs/sha256/0000000000000000000000000000000000000000000000000000000000000000",
    ] {
        std::fs::write(place.join(file), "x").unwrap();
        refused(&run.stdout(), Path::new(file), "added:");
        std::fs::remove_file(place.join(file)).unwrap();
    }
}

/// Changes the manifest of a published release and everything unsigned that speaks of it, as somebody would who can
/// write to the forge and has no key.
fn reseal(place: &Path, edit: impl FnOnce(&mut ReleaseManifest, &Path)) {
    let release = place.join("forge/releases/v0.2.0");
    let path = release.join("assets/release-manifest.json");
    let (mut manifest, old) = release_manifest::decode(&std::fs::read(&path).unwrap()).unwrap();
    edit(&mut manifest, &release.join("assets"));
    manifest.assets.sort_by(|left, right| left.name.cmp(&right.name));
    let (bytes, rid) = release_manifest::encode(&manifest).unwrap();
    std::fs::write(&path, bytes).unwrap();
    let record = std::fs::read_to_string(release.join("release.json")).unwrap();
    let (before, after) = record.split_once(&old.to_string()).unwrap();
    let (_, rest) = after.split_once(" -->").unwrap();
    let nonce = release_manifest::nonce("00", rid);
    std::fs::write(release.join("release.json"), format!("{before}{rid} op={nonce} -->{rest}")).unwrap();
}

fn asset(assets: &Path, name: &str, bytes: &[u8]) -> ReleaseAsset {
    std::fs::write(assets.join(name), bytes).unwrap();
    ReleaseAsset { name: name.parse().unwrap(), size: bytes.len() as u64, digest: Digest::of(bytes) }
}

#[test]
fn a_writer_without_a_key_cannot_change_a_release_consistently() {
    type Edit<'a> = &'a dyn Fn(&mut ReleaseManifest, &Path);
    let edits: [(&str, Edit<'_>); 6] = [
        ("evil.sigstore.json", &|manifest, assets| {
            manifest.assets.push(asset(assets, "evil.sigstore.json", b"{}"));
        }),
        ("evil.txt", &|manifest, assets| manifest.assets.push(asset(assets, "evil.txt", b"x"))),
        ("install.yaml", &|manifest, assets| {
            manifest.assets.retain(|asset| asset.name.as_str() != "install.yaml");
            manifest.assets.push(asset(assets, "install.yaml", b"kind: Evil\n"));
        }),
        ("sbom.json", &|manifest, assets| {
            manifest.assets.retain(|asset| asset.name.as_str() != "sbom.json");
            std::fs::remove_file(assets.join("sbom.json")).unwrap();
        }),
        ("release-manifest.json", &|manifest, _| manifest.commit = "1".repeat(40).parse().unwrap()),
        ("release-manifest.json", &|manifest, _| manifest.images[0].rolling.clear()),
    ];
    for (name, edit) in edits {
        let repository = repository();
        let out = rehearse(&repository, "").expect(0).stdout();
        reseal(&repository.path().join("rehearsal"), edit);
        refused(&out, Path::new(name), "consistently changed:");
    }
}

#[test]
fn a_message_signature_is_no_statement_about_a_release() {
    let repository = repository();
    let out = rehearse(&repository, "").expect(0).stdout();
    let place = repository.path().join("rehearsal");
    let trust = LocalTrust::open(&place.join("trust"), jiff::Timestamp::now()).unwrap();
    reseal(&place, |manifest, assets| {
        let bundle = block_on(trust.sign_digest(&manifest.assets[0].digest)).unwrap();
        manifest.assets.retain(|asset| asset.name.as_str() != "release.sigstore.json");
        manifest.assets.push(asset(assets, "release.sigstore.json", &bundle));
    });
    refused(&out, Path::new("release.sigstore.json"), "a message signature in");
}

#[test]
fn an_image_that_is_gone_is_missed() {
    let repository = repository();
    let out = rehearse(&repository, "").expect(0).stdout();
    std::fs::remove_dir_all(repository.path().join("rehearsal/registry")).unwrap();
    refused(&out, Path::new("registry"), "removed:");
}

#[test]
fn a_rolling_tag_that_leads_elsewhere_is_refused() {
    let repository = repository();
    let made = rehearse(&repository, "").expect(0);
    let inspect = "image inspect oci:rehearsal/registry:v0.2.0 --format json";
    let inspected = kyklos(repository.path()).args(inspect).run().expect(0).json();
    let platform = inspected["data"]["platforms"][0]["digest"].as_str().unwrap();
    let line = format!("image tag oci:rehearsal/registry@{platform} v0.2");
    let _ = kyklos(repository.path()).args(&line).run().expect(0);
    let run = consume(&made.stdout()).expect(1);
    assert!(run.stdout().contains("tag v0.2: expected sha256:"), "{}", run.show());
}

#[test]
fn a_withdrawn_release_is_refused_with_its_reason() {
    let repository = repository();
    let made = rehearse(&repository, "").expect(0);
    let tag = "v0.2.0";
    let line = format!("yank {tag} --forge dir:rehearsal/forge --reason broken");
    let _ = kyklos(repository.path()).args(&line).run().expect(0);
    let run = consume(&made.stdout()).expect(1);
    assert!(run.stdout().contains("it is withdrawn: broken"), "{}", run.show());
    assert_eq!(run.stdout().matches("verify-").count(), 1, "nothing else is wrong: {}", run.show());
}

#[test]
fn another_signer_is_told_apart_from_damage() {
    let repository = repository();
    let run = rehearse(&repository, "").expect(0);
    let other = run.stdout().replace("/rehearsal/app ", "/rehearsal/other ");
    let line = other.lines().last().unwrap().to_owned();
    let elsewhere = tempfile::tempdir().unwrap();
    let arguments = line.strip_prefix("kyklos-release ").unwrap();
    let answer = kyklos(elsewhere.path()).args(arguments).args("--format json").run().expect(1).json();
    assert_eq!(
        (&answer["data"]["verdict"], &answer["data"]["reason"]),
        (&"refused".into(), &"wrong-signer".into())
    );
}

#[test]
fn what_is_wrong_is_told_before_anything_is_written() {
    let repository = repository();
    repository.write("bin/text", "no executable");
    repository.write("bin/policy.yaml", "x");
    let cases = [
        ("--binary linux/amd64=bin/none", 2, "file-missing"),
        ("--binary linux/arm64=bin/app-amd64", 2, "rehearse-platform"),
        ("--binary linux/amd64=bin/text", 2, "binary"),
        ("--tag v9.9.9", 2, "v9.9.9"),
        ("--tag nightly", 2, "nightly"),
        ("--config nowhere.yaml", 2, "file-missing"),
        ("-o README.md", 2, ""),
        ("-o bin", 5, "rehearse-foreign"),
    ];
    for (arguments, code, word) in cases {
        let run = kyklos(repository.path()).args("rehearse").args(arguments).run();
        assert_eq!(run.code(), code, "{arguments}\n{}", run.show());
        assert!(
            run.stderr().contains("error[") && run.stderr().contains(word),
            "{arguments}\n{}",
            run.show()
        );
        assert!(!repository.path().join("rehearsal/dist").exists(), "{arguments}");
    }
    repository.write("README.md", "changed");
    let dirty = rehearse(&repository, "").expect(2);
    assert!(
        dirty.stderr().contains("error[rehearse-dirty]") && dirty.stderr().contains("README.md"),
        "{}",
        dirty.show()
    );
    let allowed = rehearse(&repository, "--allow-dirty").expect(0);
    assert!(allowed.stderr().contains("warning: tracked files differ"), "{}", allowed.show());
}

#[test]
fn repositories_that_cannot_be_read_name_the_way_out() {
    let nowhere = tempfile::tempdir().unwrap();
    assert!(
        kyklos(nowhere.path()).args("rehearse").run().expect(2).stderr().contains("not in a git repository")
    );
    let empty = Repository::new();
    assert!(kyklos(empty.path()).args("rehearse").run().expect(2).stderr().contains("no commit yet"));
    let full = repository();
    let shallow = tempfile::tempdir().unwrap();
    let url = format!("file://{}", full.path().display());
    full.git(&["clone", "--quiet", "--depth", "1", &url, shallow.path().join("c").to_str().unwrap()]);
    let run = kyklos(&shallow.path().join("c")).args("rehearse").run().expect(3);
    assert!(run.stderr().contains("git fetch --unshallow"), "{}", run.show());
}

#[test]
fn a_policy_of_the_repository_decides() {
    let repository = repository();
    let policy = |gate: &str| {
        let text = format!(
            "apiVersion: kyklos.release/v1\nkind: ReleasePolicy\nmetadata: {{ name: app }}\nprofiles:\n  rehearse: {{ gates: [it] }}\ngates:\n  it: {gate}\n"
        );
        repository.write("policies/release.yaml", text);
        repository.commit("chore: a policy");
    };
    policy("{ type: image, maxSize: 10 }");
    let run = rehearse(&repository, "").expect(1);
    assert!(run.stdout().contains("too many"), "{}", run.show());
    assert!(!repository.path().join("rehearsal/forge").exists());
    policy("{ type: tests, minTests: 1 }");
    let run = rehearse(&repository, "").expect(3);
    assert!(run.stdout().contains("cannot decide"), "{}", run.show());
    policy("{ type: imag }");
    let run = rehearse(&repository, "").expect(2);
    assert!(run.stderr().contains("did you mean `image`?"), "{}", run.show());
    policy("{ type: image, maxSise: 10MB }");
    let run = rehearse(&repository, "").expect(2);
    assert!(
        run.stderr().contains("policies/release.yaml:7:") && run.stderr().contains("maxSize"),
        "{}",
        run.show()
    );
}

#[test]
fn a_killed_rehearsal_goes_on() {
    let repository = repository();
    // Signatures differ from key to key, and with them the names of the blobs that hold them.
    let names = |place: &Path| -> Vec<String> {
        let blob = |name: String| {
            if name.starts_with("registry/blobs/sha256/") { "a blob".to_owned() } else { name }
        };
        tree(place).into_keys().map(blob).collect()
    };
    let expected = {
        let place = scratch();
        let _ = command(&repository, "-o").arg(place.path()).run().expect(0);
        names(place.path())
    };
    let place = scratch();
    std::fs::write(place.path().join(".kyklos-release-mark"), "{").unwrap();
    let run = command(&repository, "-o").arg(place.path()).run().expect(0);
    let _ = consume(&run.stdout()).expect(0);
    assert_eq!(names(place.path()), expected, "killed before the first file had its name");
    for delay in [5, 15, 25, 35, 45, 60, 80, 100, 130, 160, 200] {
        let place = scratch();
        command(&repository, "-o").arg(place.path()).kill_after(std::time::Duration::from_millis(delay));
        let run = command(&repository, "-o").arg(place.path()).run().expect(0);
        let _ = consume(&run.stdout()).expect(0);
        assert_eq!(names(place.path()), expected, "killed after {delay} ms");
    }
}

#[test]
#[cfg(unix)]
fn a_signal_ends_a_rehearsal_between_two_steps() {
    let repository = repository();
    // Large enough that the run is still at work when the signal comes.
    for architecture in ["amd64", "arm64"] {
        let mut bytes = elf::go(architecture, elf::MODULES);
        bytes.extend((0..1_500_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()));
        repository.write(&format!("bin/app-{architecture}"), bytes);
    }
    let mut stopped = 0;
    for delay in [100, 250, 500] {
        let started = command(&repository, "").spawn();
        std::thread::sleep(std::time::Duration::from_millis(delay));
        started.signal("-INT");
        let run = started.wait();
        assert!([0, 6, -1].contains(&run.code()), "{}", run.show());
        if run.code() == 6 {
            stopped += 1;
            assert!(
                run.stderr().contains("error[interrupted]")
                    || run.stderr().contains("error[publish-stopped]"),
                "{}",
                run.show()
            );
        }
    }
    assert!(stopped > 0, "no signal was seen at work");
    let run = rehearse(&repository, "").expect(0);
    let _ = consume(&run.stdout()).expect(0);
}

#[test]
fn two_rehearsals_in_one_directory_do_not_meet() {
    let repository = repository();
    let place = scratch();
    let first = command(&repository, "-o").arg(place.path()).spawn();
    let second = command(&repository, "-o").arg(place.path()).run();
    let first = first.wait();
    let codes = [first.code(), second.code()];
    assert!(
        codes.contains(&0) && codes.iter().all(|code| [0, 5].contains(code)),
        "{codes:?}\n{}\n{}",
        first.show(),
        second.show()
    );
    let run = command(&repository, "-o").arg(place.path()).run().expect(0);
    let _ = consume(&run.stdout()).expect(0);
}

#[test]
#[cfg(unix)]
fn a_read_only_place_is_a_matter_of_permission() {
    use std::os::unix::fs::PermissionsExt as _;
    let repository = repository();
    let place = tempfile::tempdir().unwrap();
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::write(place.path().join("probe"), "").is_ok() {
        // A superuser may write to any directory of a disk; the kernel's own tree takes nothing from anybody.
        let run = command(&repository, "-o /sys/kyklos-release").run().expect(4);
        assert!(run.stderr().contains("choose a directory you may write to"), "{}", run.show());
        return;
    }
    let run = command(&repository, "-o").arg(place.path().join("out")).run().expect(4);
    assert!(run.stderr().contains("choose a directory you may write to"), "{}", run.show());
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_leaves_nothing_half_written() {
    let repository = repository();
    let place = tempfile::tempdir().unwrap();
    let mount = |arguments: &[&str]| {
        std::process::Command::new(arguments[0])
            .args(&arguments[1..])
            .arg(place.path())
            .output()
            .is_ok_and(|output| output.status.success())
    };
    if !mount(&["mount", "-t", "tmpfs", "-o", "size=24k", "tmpfs"]) {
        skipped("only root may mount the small disk this needs");
        return;
    }
    let run = command(&repository, "-o").arg(place.path().join("out")).run();
    let left: Vec<_> =
        tree(place.path()).into_keys().filter(|name| name.contains(".kyklos-release-")).collect();
    let unmounted = mount(&["umount"]);
    assert!(unmounted);
    assert_eq!(run.code(), 6, "{}", run.show());
    assert!(
        run.stderr().contains("free some space") || run.stderr().contains("No space left"),
        "{}",
        run.show()
    );
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn publish_measures_what_the_gates_ask_for() {
    let repository = repository();
    let policy = include_str!("../../../policies/rehearse.yaml").replace("  rehearse:", "  pre-release:");
    repository.write("policies/release.yaml", policy);
    repository.write(".gitignore", "bin/\nrehearsal/\nelsewhere/\n");
    repository.commit("chore: a policy");
    repository.tag("v0.2.0");
    let made = rehearse(&repository, "--tag v0.2.0").expect(0);
    let from = repository.path().join("rehearsal");
    let to = repository.path().join("elsewhere");
    assert!(std::process::Command::new("cp").arg("-R").args([&from, &to]).status().unwrap().success());
    std::fs::remove_dir_all(to.join("forge")).unwrap();
    let publish = |line: &str| {
        let whole = format!("publish v0.2.0 --forge dir:elsewhere/forge {line}");
        kyklos(repository.path()).args(&whole).run()
    };
    let signer: String = {
        let line = made.stdout();
        let words: Vec<&str> = line.lines().last().unwrap().split(' ').collect();
        let of = |flag: &str| words[words.iter().position(|word| *word == flag).unwrap() + 1];
        ["--trusted-root", "--identity", "--issuer"].map(|flag| format!("{flag} {}", of(flag))).join(" ")
    };
    let unsigned = publish("--dist elsewhere/dist").expect(3);
    assert!(unsigned.stdout().contains("evidence of kind signatures"), "{}", unsigned.show());
    assert!(!to.join("forge").exists());
    let stranger = signer.replace("rehearsal/app", "rehearsal/other");
    assert_eq!(publish(&format!("--dist elsewhere/dist {stranger}")).code(), 1);
    assert_eq!(publish("--dist elsewhere/dist --identity x").code(), 2, "half a signer is none");
    let done = publish(&format!("--dist elsewhere/dist {signer}")).expect(0);
    assert_eq!(done.stdout(), "v0.2.0 is published\n");
    // The state before the commit point, on a machine that has only the repository.
    let forge = to.join("forge");
    std::fs::rename(forge.join("releases/v0.2.0"), forge.join("drafts/v0.2.0.1")).unwrap();
    std::fs::remove_file(forge.join("latest")).unwrap();
    std::fs::remove_dir_all(to.join("dist")).unwrap();
    let asked = publish("").expect(3);
    assert!(asked.stdout().contains("evidence of kind signatures"), "{}", asked.show());
    assert_eq!(publish(&signer).expect(0).stdout(), "v0.2.0 is published\n");
    // Nothing is left to do, so nothing is left to judge.
    assert_eq!(publish("").expect(0).stdout(), "v0.2.0 was published before; nothing changed\n");
    let judged = "gate run --policy policies/release.yaml --only checksums,sbom,signatures --tag v0.2.0 --dist rehearsal/dist";
    let digests = std::fs::read_to_string(from.join("dist/image-digests.txt")).unwrap();
    let index = digests.split(' ').next().unwrap();
    let run = kyklos(repository.path()).args(judged).args(&format!("--index {index} {signer}")).run();
    assert_eq!(run.code(), 0, "{}", run.show());
}
