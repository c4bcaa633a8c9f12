//! Rehearsals in places that are too small, from repositories that are unusual, and ended after every step.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use kyklos_release::format::release_manifest;
use kyklos_release::model::Digest;

use super::world::{scratch, tree};
use crate::support::command::{Run, kyklos};
use crate::support::elf;
use crate::support::repository::Repository;
use crate::support::skipped;

/// A repository with a release behind it and executables for two platforms.
fn repository(tag: &str) -> Repository {
    let repository = Repository::new();
    repository.write(
        "release.yaml",
        format!(
            "name: app\ntag: \"{tag}{{version}}\"\nassets: [install.yaml]\nimage:\n  repository: registry.example/acme/app\n"
        ),
    );
    repository.write("install.yaml", "kind: List\n");
    repository.write(".gitignore", "bin/\nout/\nfinish.sh\n");
    repository.commit("feat: the first feature");
    repository.tag(&format!("{tag}0.1.0"));
    repository.commit("feat(api): a second feature");
    for architecture in ["amd64", "arm64"] {
        repository.write(&format!("bin/app-{architecture}"), elf::go(architecture, elf::MODULES));
    }
    repository
}

const BINARIES: &str = "--binary linux/amd64=bin/app-amd64 --binary linux/arm64=bin/app-arm64";

fn rehearse(repository: &Repository, out: &Path, more: &str) -> Run {
    kyklos(repository.path()).args("rehearse").args(BINARIES).args(more).arg("-o").arg(out).run()
}

/// The command in the last line of a rehearsal, run from somewhere else.
fn consume(out: &str) -> Run {
    let elsewhere = tempfile::tempdir().unwrap();
    kyklos(elsewhere.path()).args(out.lines().last().unwrap().strip_prefix("kyklos-release ").unwrap()).run()
}

/// Every file of a rehearsal that does not depend on the keys, which are made anew in every place.
fn without_keys(place: &Path) -> BTreeMap<String, Vec<u8>> {
    let keyed = |name: &str| {
        name.starts_with("trust/")
            || name.starts_with("registry/blobs/")
            || name == "registry/index.json"
            || name.ends_with(".sigstore.json")
            || name.ends_with("release-manifest.json")
            || name.ends_with("release.json")
    };
    let mut files = tree(place);
    for (name, bytes) in &mut files {
        if keyed(name) {
            bytes.clear();
        }
    }
    // Names of blobs are digests of signatures; as many as there are.
    let blobs = files.keys().filter(|name| name.starts_with("registry/blobs/sha256/")).count();
    files.retain(|name, _| !name.starts_with("registry/blobs/sha256/"));
    files.insert("the number of blobs".to_owned(), blobs.to_string().into_bytes());
    files
}

#[test]
fn a_rehearsal_that_is_killed_after_any_step_ends_as_if_it_had_not_been() {
    let repository = repository("v");
    let (expected, steps) = {
        let place = scratch();
        let run = rehearse(&repository, place.path(), "").expect(0);
        (without_keys(place.path()), run.stderr().lines().count())
    };
    assert!(steps > 30, "only {steps} steps");
    for step in (0..steps).step_by(2) {
        let place = scratch();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_kyklos-release"));
        command.arg("rehearse").args(BINARIES.split(' ')).arg("-o").arg(place.path());
        command.current_dir(repository.path()).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        let mut child = command
            .env("HOME", repository.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
        let last = (0..=step).filter_map(|_| told.next()?.ok()).last().unwrap_or_default();
        // It may have ended by itself after its last line.
        let _ = child.kill();
        child.wait().unwrap();
        let run = rehearse(&repository, place.path(), "").expect(0);
        let found = without_keys(place.path());
        let names: Vec<_> = found.keys().chain(expected.keys()).collect();
        let other: Vec<_> =
            names.into_iter().filter(|name| found.get(*name) != expected.get(*name)).collect();
        assert!(other.is_empty(), "killed after `{}`: {other:?}", last.trim());
        if step % 8 == 0 {
            let _ = consume(&run.stdout()).expect(0);
        }
    }
}

#[test]
fn a_tag_with_a_directory_in_its_name_goes_all_the_way() {
    let repository = repository("operator/v");
    let out = repository.path().join("out");
    let tag = "operator/v0.2.0";
    repository.tag(tag);
    let made = rehearse(&repository, &out, &format!("--tag {tag}")).expect(0);
    let _ = consume(&made.stdout()).expect(0);
    let line = |line: &str| kyklos(repository.path()).args(line).run();
    let published = out.join("forge/releases/operator%2Fv0.2.0/assets");
    let names = tree(&published);
    for name in
        ["CHANGELOG-operator-v0.2.0.md", "RELEASE-NOTES-operator-v0.2.0.md", "app-operator-v0.2.0.tar.gz"]
    {
        assert!(names.contains_key(name), "{:?}", names.keys());
    }
    assert_eq!(std::fs::read_to_string(out.join("forge/latest")).unwrap(), format!("{tag}\n"));
    let tags = line("image inspect oci:out/registry:operator-v0.2.0 --format json").expect(0).json();
    assert_eq!(tags["data"]["platforms"].as_array().unwrap().len(), 2);
    let status = line(&format!("status {tag} --forge dir:out/forge --format json")).expect(0).json();
    assert_eq!(
        (&status["data"]["state"], &status["data"]["missing"]),
        (&"published".into(), &serde_json::json!([]))
    );
    let again = line(&format!("publish {tag} --forge dir:out/forge")).expect(0);
    assert_eq!(again.stdout(), format!("{tag} was published before; nothing changed\n"));
    // The same by hand, from files and an image alone.
    std::fs::remove_dir_all(out.join("forge")).unwrap();
    let script = line(&format!("manual {tag} --forge dir:out/forge --dist out/dist --script -o finish.sh"));
    assert_eq!(script.code(), 0, "{}", script.show());
    let by_hand = std::process::Command::new("sh")
        .arg(repository.path().join("finish.sh"))
        .env("KYKLOS_RELEASE", env!("CARGO_BIN_EXE_kyklos-release"))
        .output()
        .unwrap();
    assert!(by_hand.status.success(), "{}", String::from_utf8_lossy(&by_hand.stderr));
    assert!(tree(&published) == names);
    let _ = consume(&made.stdout()).expect(0);
    let yanked = line(&format!("yank {tag} --forge dir:out/forge --reason broken")).expect(0);
    assert!(yanked.stdout().contains(&format!("{tag} is withdrawn")), "{}", yanked.show());
    let refused = consume(&made.stdout()).expect(1);
    assert!(refused.stdout().contains("it is withdrawn: broken"), "{}", refused.show());
}

#[test]
fn a_bare_repository_is_rehearsed_as_its_head_says() {
    let full = repository("v");
    let keep = tempfile::tempdir().unwrap();
    let bare = keep.path().join("app.git");
    full.git(&["clone", "--quiet", "--bare", full.path().to_str().unwrap(), bare.to_str().unwrap()]);
    for architecture in ["amd64", "arm64"] {
        std::fs::create_dir_all(keep.path().join("bin")).unwrap();
        let name = format!("bin/app-{architecture}");
        std::fs::copy(full.path().join(&name), keep.path().join(&name)).unwrap();
    }
    let before = tree(&bare);
    let binaries = BINARIES.replace("=bin/", "=../bin/");
    let out = keep.path().join("out");
    let run = kyklos(&bare).args("rehearse").args(&binaries).arg("-o").arg(&out).run().expect(0);
    assert!(run.stderr().contains("Published v0.2.0"), "{}", run.show());
    assert!(out.join("forge/releases/v0.2.0/assets/install.yaml").exists(), "as release.yaml of HEAD says");
    let _ = consume(&run.stdout()).expect(0);
    let init = kyklos(&bare).args("init").run().expect(2);
    assert!(
        init.stderr().contains("error[init-bare]") && init.stderr().contains("git worktree add DIR"),
        "{}",
        init.show()
    );
    assert!(tree(&bare) == before, "a bare repository is only read");
}

/// A file system of so many KiB, while the value lives. `None` where this user may not mount one.
struct Small(tempfile::TempDir);

impl Small {
    fn of(kib: u32) -> Option<Self> {
        let place = tempfile::tempdir().unwrap();
        let options = format!("size={kib}k,nr_inodes=4096");
        let mut mount = std::process::Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(place.path()).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(place)),
            Ok(output) => {
                let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
                skipped(&format!("only root may mount the small disk this needs ({reason})"));
                None
            }
            Err(error) => {
                skipped(&format!("there is no mount to make a small disk with ({error})"));
                None
            }
        }
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path()).status();
    }
}

fn left_overs(place: &Path) -> Vec<String> {
    tree(place).into_keys().filter(|name| name.contains(".kyklos-release-")).collect()
}

#[track_caller]
fn is_full(run: &Run, what: &str) {
    assert_eq!(run.code(), 6, "{what}: {}", run.show());
    let told = run.stderr();
    assert!(told.contains("o space left") && told.contains("free some space"), "{what}: {}", run.show());
}

#[test]
#[cfg(target_os = "linux")]
fn a_rehearsal_that_runs_out_of_space_goes_on_when_there_is_some() {
    let repository = repository("v");
    let mut full = 0;
    for kib in [16, 48, 96, 144, 192, 256, 320, 400] {
        let Some(disk) = Small::of(kib) else { return };
        let out = disk.0.path().join("out");
        let run = rehearse(&repository, &out, "");
        if run.code() == 0 {
            let _ = consume(&run.stdout()).expect(0);
            continue;
        }
        full += 1;
        is_full(&run, &format!("{kib} KiB"));
        assert_eq!(left_overs(disk.0.path()), Vec::<String>::new(), "{kib} KiB");
        // What was made is whole: the same run on a larger disk goes on from it.
        let larger = std::process::Command::new("mount")
            .args(["-o", "remount,size=16m"])
            .arg(disk.0.path())
            .status()
            .unwrap();
        assert!(larger.success());
        let run = rehearse(&repository, &out, "").expect(0);
        let _ = consume(&run.stdout()).expect(0);
    }
    assert!(full >= 4, "only {full} disks were too small");
}

#[test]
#[cfg(target_os = "linux")]
fn a_command_that_runs_out_of_space_leaves_what_was_there() {
    let repository = repository("v");
    let made = tempfile::tempdir().unwrap();
    let _ = rehearse(&repository, made.path(), "").expect(0);
    let dist = made.path().join("dist");
    let Some(disk) = Small::of(8) else { return };
    let old = disk.0.path().join("answer");
    std::fs::write(&old, "old").unwrap();
    let answer = format!("-o {}", old.display());
    let layout = format!("-o oci:{}:v1", disk.0.path().join("layout").display());
    let forge = format!("--forge dir:{} --dist {}", disk.0.path().join("forge").display(), dist.display());
    for line in [
        format!("sbom generate dir:bin {answer}"),
        format!("archive v0.1.0 {answer}"),
        format!("schema notes {answer}"),
        format!("image assemble --name app {BINARIES} {layout}"),
        format!("evidence add bin/app-amd64 --kind json --evidence {}", disk.0.path().display()),
        format!("man {}", disk.0.path().join("pages").display()),
    ] {
        // What fits may be written; what does not is told, and what was there stays.
        let run = kyklos(repository.path()).args(&line).run();
        if line.starts_with("evidence") {
            assert_eq!(run.code(), 3, "{line}: {}", run.show());
            continue;
        }
        if run.code() != 0 {
            is_full(&run, &line);
            assert_eq!(std::fs::read_to_string(&old).unwrap(), "old", "{line}");
        } else {
            std::fs::write(&old, "old").unwrap_or_default();
        }
        assert_eq!(left_overs(disk.0.path()), Vec::<String>::new(), "{line}");
        for name in ["layout", "pages"] {
            std::fs::remove_dir_all(disk.0.path().join(name)).unwrap_or_default();
        }
    }
    let publish = format!("publish v0.2.0 {forge}");
    repository.tag("v0.2.0");
    let run = kyklos(repository.path()).args(&publish).run();
    assert_ne!(run.code(), 0, "{}", run.show());
    assert!(!disk.0.path().join("forge/releases").exists(), "nothing is visible: {}", run.show());
}

/// The files of a release as somebody downloads them, and what checks them.
fn downloaded() -> (tempfile::TempDir, PathBuf, String) {
    let repository = repository("v");
    let keep = tempfile::tempdir().unwrap();
    let made = rehearse(&repository, &keep.path().join("made"), "").expect(0).stdout();
    let flat = keep.path().join("flat");
    let from = keep.path().join("made/forge/releases/v0.2.0/assets");
    std::fs::create_dir(&flat).unwrap();
    for (name, bytes) in tree(&from) {
        std::fs::write(flat.join(name), bytes).unwrap();
    }
    let line = made.lines().last().unwrap().strip_prefix("kyklos-release ").unwrap();
    let root = keep.path().join("made").canonicalize().unwrap();
    let verify = line.replacen(&format!("dir:{}", root.display()), &format!("dir:{}", flat.display()), 1);
    (keep, flat, verify)
}

#[test]
fn white_space_in_a_bundle_is_seen_also_when_the_manifest_agrees() {
    let (keep, flat, verify) = downloaded();
    let check = || kyklos(keep.path()).args(&verify).run();
    let _ = check().expect(0);
    let path = flat.join("release-manifest.json");
    let good_manifest = std::fs::read(&path).unwrap();
    for name in ["checksums.txt.sigstore.json", "image.sigstore.json", "release.sigstore.json"] {
        let good = std::fs::read(flat.join(name)).unwrap();
        let text = String::from_utf8(good.clone()).unwrap();
        for bad in [format!("{text}\n"), text.replacen("\":", "\": ", 1), format!(" {text}")] {
            std::fs::write(flat.join(name), &bad).unwrap();
            // Everything that is not signed is made to agree.
            let (mut manifest, _) = release_manifest::decode(&good_manifest).unwrap();
            let asset = manifest.assets.iter_mut().find(|asset| asset.name.as_str() == name).unwrap();
            (asset.size, asset.digest) = (bad.len() as u64, Digest::of(bad.as_bytes()));
            std::fs::write(&path, release_manifest::encode(&manifest).unwrap().0).unwrap();
            let run = check().expect(1);
            assert!(run.stdout().contains(name), "{name}: {}", run.show());
        }
        std::fs::write(flat.join(name), good).unwrap();
        std::fs::write(&path, &good_manifest).unwrap();
    }
    let _ = check().expect(0);
}

#[test]
fn repositories_that_need_repair_are_told_by_every_command_that_reads_them() {
    let full = repository("v");
    let keep = tempfile::tempdir().unwrap();
    let clone = |name: &str, flags: &[&str]| {
        let path = keep.path().join(name);
        let url = format!("file://{}", full.path().display());
        let mut arguments = vec!["clone", "--quiet"];
        arguments.extend(flags);
        arguments.extend([url.as_str(), path.to_str().unwrap()]);
        full.git(&arguments);
        path
    };
    full.git(&["config", "uploadpack.allowFilter", "true"]);
    let shallow = clone("shallow", &["--depth", "1", "--no-tags"]);
    let partial = clone("partial", &["--filter=blob:none", "--no-checkout"]);
    let reftable = clone("reftable", &[]);
    for pair in [["core.repositoryFormatVersion", "1"], ["extensions.refStorage", "reftable"]] {
        full.git(&["-C", reftable.to_str().unwrap(), "config", pair[0], pair[1]]);
    }
    let sha256 = keep.path().join("sha256");
    full.git(&["init", "--quiet", "--object-format=sha256", sha256.to_str().unwrap()]);
    let foreign = clone("foreign", &[]);
    let given_away = [foreign.clone(), foreign.join(".git"), foreign.join(".git/config")]
        .iter()
        .all(|path| std::os::unix::fs::chown(path, Some(12_345), None).is_ok());
    let mut cases = vec![
        (shallow, 3, "git-shallow", "git fetch --unshallow --tags"),
        (partial, 3, "git-partial", "git fetch --refetch --no-filter --tags"),
        (reftable, 2, "git-reftable", "git refs migrate --ref-format=files"),
        (sha256, 2, "git-sha256", "clone the sha1 form of the repository"),
    ];
    if given_away {
        cases.push((foreign, 2, "git-owner", "git config --global --add safe.directory "));
    } else {
        skipped("only root may give a repository away");
    }
    let policy = include_str!("../../../policies/rehearse.yaml").replace("  rehearse:", "  pre-release:");
    std::fs::write(keep.path().join("policy.yaml"), policy).unwrap();
    for (path, exit, code, hint) in cases {
        std::fs::create_dir_all(path.join("dist")).unwrap();
        std::fs::write(path.join("dist/app"), "app").unwrap();
        for line in [
            "rehearse --allow-dirty",
            "archive v0.1.0 -o a.tar.gz",
            "plan v0.1.0",
            "gate run --policy ../policy.yaml",
            "evidence add dist/app --kind json",
            "publish v0.1.0 --dist dist --forge dir:forge",
            "notes generate",
        ] {
            let run = kyklos(&path).args(line).args("--format json").run();
            if run.code() == 0 || run.json()["schema"] != "kyklos-release/error/v1" {
                // Commits are enough for some commands, and a shallow clone has the last one.
                assert!(["git-shallow", "git-partial"].contains(&code), "{line}: {}", run.show());
                continue;
            }
            let answer = run.json();
            let error = &answer["diagnostics"][0];
            let found = error["code"].as_str().unwrap();
            // A clone without tags says that first; a policy that was not fetched is missing.
            let other = ["git-no-tag", "git-no-tags", "evidence-unreadable"];
            if ["git-shallow", "git-partial"].contains(&code) && other.contains(&found) {
                continue;
            }
            assert_eq!((run.code(), found), (exit, code), "{line}: {}", run.show());
            assert!(error["hint"].as_str().unwrap().contains(hint), "{line}: {answer}");
        }
        let _ = std::fs::remove_dir_all(path.join("forge"));
    }
}

#[test]
fn the_tag_one_stands_on_is_rehearsed() {
    let repository = repository("v");
    repository.tag("v0.2.0-rc.1");
    repository.tag("v0.2.0");
    repository.tag("nightly");
    let out = scratch();
    let made = rehearse(&repository, out.path(), "--format json").expect(0).json();
    assert_eq!(made["data"]["tag"], "v0.2.0");
    assert!(out.path().join("dist/CHANGELOG-v0.2.0.md").exists());
}

#[test]
fn a_cargo_project_is_rehearsed_by_the_program_it_builds() {
    let repository = Repository::new();
    repository.write("Cargo.toml", "[package]\nname = \"app-core\"\n\n[[bin]]\nname = \"app\"\n");
    repository.write(".gitignore", "target/\n");
    repository.commit("feat: start");
    repository.write("target/release/app", elf::elf("amd64", &[]));
    let out = scratch();
    let rehearse = || kyklos(repository.path()).args("rehearse -o").arg(out.path()).run();
    let made = rehearse();
    assert!(made.stderr().contains("app-core-v0.1.0.tar.gz"), "{}", made.show());
    repository.write("Cargo.toml", "[workspace]\nmembers = [\"one\", \"two\"]\n");
    repository.commit("feat: two programs");
    repository.write("target/release/one.d", "");
    repository.write("target/release/one", "");
    let told = rehearse().expect(2).stderr();
    assert!(told.contains("target/release/app\n") && told.contains("target/release/one\n"), "{told}");
    assert!(!told.contains("one.d"), "{told}");
}

#[test]
fn names_in_findings_do_not_steer_the_terminal() {
    let repository = repository("v");
    let out = scratch();
    let line = rehearse(&repository, out.path(), "").expect(0).stdout();
    std::fs::write(out.path().join("forge/releases/v0.2.0/assets/\u{1b}[2Jx\ny"), "").unwrap();
    let told = consume(&line).expect(1).stdout();
    assert!(told.contains("\u{fffd}[2Jx\u{fffd}y: it is not part of the release"), "{told}");
    assert!(!told.contains('\u{1b}'), "{told}");
}

#[test]
fn a_file_of_the_release_is_not_called_like_one_it_makes() {
    for name in
        ["checksums.txt", "sbom.json", "release.sigstore.json", "app-v0.2.0.tar.gz", "app-linux-amd64"]
    {
        let repository = repository("v");
        repository.write(name, "mine");
        repository.write("release.yaml", format!("name: app\nassets: [{name}]\n"));
        repository.commit("feat: a file");
        let out = scratch();
        let told = rehearse(&repository, out.path(), "").expect(2).stderr();
        assert!(
            told.contains(&format!("error[rehearse-asset]: the release makes {name} by itself")),
            "{told}"
        );
        assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 0, "nothing was written");
    }
}

#[test]
fn two_spellings_of_a_platform_are_one() {
    let repository = repository("v");
    let out = scratch();
    let told = rehearse(&repository, out.path(), "--binary linux/arm64/v8=bin/app-arm64").expect(2).stderr();
    assert!(told.contains("error[rehearse-binary]: two executables are given for linux/arm64/v8"), "{told}");
}

#[test]
fn a_rehearsal_that_was_damaged_is_no_bug_and_says_what_to_do() {
    let repository = repository("v");
    let damages: [(&str, i32); 4] = [
        ("trust/signer.key", 2),
        ("registry/index.json", 1),
        ("forge/releases/v0.2.0/assets/install.yaml", 5),
        ("forge/releases/v0.2.0/release.json", 5),
    ];
    for (file, code) in damages {
        let out = scratch();
        let _ = rehearse(&repository, out.path(), "").expect(0);
        let path = out.path().join(file);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[0] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let run = rehearse(&repository, out.path(), "").expect(code);
        let way_out = format!("help: everything in it is made again: `rm -r {}`", out.path().display());
        assert!(run.stderr().contains(&way_out), "{file}\n{}", run.show());
    }
    let out = scratch();
    let _ = rehearse(&repository, out.path(), "").expect(0);
    std::fs::create_dir_all(out.path().join("dist/more/files")).unwrap();
    let _ = rehearse(&repository, out.path(), "").expect(0);
    assert!(!out.path().join("dist/more").exists());
    let closed = format!("checksums verify {}/dist/checksums.txt --closed", out.path().display());
    let _ = kyklos(repository.path()).args(&closed).run().expect(0);
    std::fs::write(out.path().join("dist/other.sigstore.json"), "").unwrap();
    let told = kyklos(repository.path()).args(&closed).run().expect(1).stdout();
    assert!(told.ends_with("other.sigstore.json: NOT LISTED\n"), "{told}");
}
