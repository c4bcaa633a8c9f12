//! Makes the files of the release. Everything but signatures is made anew on every run and comes out the same;
//! signatures that hold are kept.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::SignedDuration;

use super::inputs::{Inputs, made_names};
use super::place::Place;
use crate::adapter::fs::{self, Directory};
use crate::adapter::oci::Layout;
use crate::adapter::sigstore::{LocalTrust, Mint};
use crate::attest::{self, CHECKSUMS, CHECKSUMS_BUNDLE, IMAGE_BUNDLE, RELEASE_BUNDLE};
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::{archive, build_info, notes};
use crate::diag::counted;
use crate::evidence::MANUAL_MARK;
use crate::format::oci::annotation;
use crate::format::release_manifest;
use crate::image::{self, Contents, Settings};
use crate::model::{AssetName, Digest, ImageEntry, ReleaseManifest};
use crate::notes::{Blank, Document};
use crate::plan::plan;
use crate::port::{EntryKind, Files as _, Progress as _, SignerIdentity, Trust as _};
use crate::sbom::{self, About, Executable, ImageSubject};

/// How long the certificate of a rehearsal is valid.
const VALID: SignedDuration = SignedDuration::from_hours(24 * 365);

/// What later steps need of what was made.
pub(super) struct Made {
    pub(super) trust: LocalTrust,
    pub(super) trust_root: String,
    pub(super) signer: SignerIdentity,
    pub(super) layout: Option<Layout>,
    pub(super) image: Option<ImageEntry>,
    pub(super) declared: Option<Vec<u8>>,
}

/// Makes everything, in the order in which one part needs another.
pub(super) async fn make(
    context: &Context,
    project: &crate::cli::project::Project,
    inputs: &Inputs,
    place: &Place,
) -> Result<Made, CliError> {
    let say = async |verb: &str, what: &str| {
        context.printer.finished(verb, what);
        context.pause().await
    };
    context.pause().await?;
    let facts = &inputs.facts;
    let dist = place.dist();
    fs::create_dir(&dist)?;
    forget_old_files(place, inputs)?;
    let put =
        |name: &str, bytes: &[u8]| -> Result<(), CliError> { Ok(fs::write_atomic(&dist.join(name), bytes)?) };

    let name = format!("{}-{}.tar.gz", facts.name, facts.tag.file_part());
    context.printer.working("archiving the source");
    let bytes = archive::archive(
        &project.repository,
        facts.commit,
        facts.created,
        &format!("{}-{}", facts.name, facts.tag.file_part()),
    )?;
    put(&name, &bytes)?;
    say("Archived", &name).await?;

    let mut layout = None;
    let mut image = None;
    if !inputs.executables.is_empty() {
        let (stored, entry) = assemble(project, inputs, place).await?;
        say("Assembled", &format!("{} for {}", entry.repository, platforms(&entry))).await?;
        layout = Some(stored);
        image = Some(entry);
    }
    notes_of(context, project, inputs, image.as_ref(), &put)?;
    say("Wrote", &format!("CHANGELOG-{0}.md, RELEASE-NOTES-{0}.md", facts.tag.file_part())).await?;
    for executable in &inputs.executables {
        put(executable.name.as_str(), &executable.bytes)?;
    }
    for (name, bytes) in &inputs.assets {
        put(name.as_str(), bytes)?;
    }
    if !inputs.executables.is_empty() {
        let files: Vec<(String, &[u8])> = inputs
            .executables
            .iter()
            .map(|executable| (executable.name.to_string(), executable.bytes.as_slice()))
            .collect();
        put("build-info.json", &build_info::document(&files)?)?;
        let bytes = bill(inputs, image.as_ref())?;
        put("sbom.json", &bytes)?;
        let (components, _) = sbom::compare(&bytes, &[], None)?;
        let components = counted(components, "component", "components");
        let executables = counted(inputs.executables.len(), "executable", "executables");
        say("Cataloged", &format!("{components} in {executables}")).await?;
    }
    let signer = SignerIdentity {
        subject: format!("https://kyklos-release.invalid/rehearsal/{}", facts.name),
        issuer: "https://kyklos-release.invalid/local".to_owned(),
    };
    let mint = Mint { identity: signer.clone(), now: context.now, valid_for: VALID };
    let trust = LocalTrust::create(&place.trust(), &mint)?;
    sign(inputs, place, &trust, &signer, image.as_ref()).await?;
    say(
        "Signed",
        &format!("{CHECKSUMS}, every file, {}", image.as_ref().map_or("no image", |_| "the image")),
    )
    .await?;
    let trust_root =
        String::from_utf8_lossy(&fs::read(&place.trust().join("trusted_root.json"), 1 << 20)?).into_owned();
    Ok(Made { trust, trust_root, signer, layout, image, declared: inputs.cargo_lock.clone() })
}

/// A killed run of the same inputs leaves only files that are made again; anything else would become an asset.
fn forget_old_files(place: &Place, inputs: &Inputs) -> Result<(), CliError> {
    let made = made_names(&inputs.facts);
    for entry in Directory::new(place.dist()).list(Path::new("."))? {
        let name = entry.name.as_str();
        let ours = made.iter().any(|made| made == name)
            || inputs.executables.iter().any(|executable| executable.name.as_str() == name)
            || inputs.assets.keys().any(|asset| asset.as_str() == name);
        let path = place.dist().join(name);
        match entry.kind {
            _ if ours => {}
            EntryKind::Directory => fs::remove_dir(&path)?,
            EntryKind::File | EntryKind::Other => fs::remove_file(&path)?,
        }
    }
    Ok(())
}

async fn assemble(
    project: &crate::cli::project::Project,
    inputs: &Inputs,
    place: &Place,
) -> Result<(Layout, ImageEntry), CliError> {
    let facts = &inputs.facts;
    let contents: Vec<Contents> = inputs
        .executables
        .iter()
        .map(|executable| Contents {
            platform: executable.platform.clone(),
            name: facts.name.clone(),
            bytes: executable.bytes.clone(),
        })
        .collect();
    let mut annotations = BTreeMap::from([
        (annotation::TITLE.to_owned(), facts.name.clone()),
        (annotation::VERSION.to_owned(), facts.version.to_string()),
        (annotation::REVISION.to_owned(), facts.commit.to_string()),
    ]);
    annotations
        .extend(project.repository.origin().map(|origin| (annotation::SOURCE.to_owned(), origin.web())));
    let config = &project.config.image;
    let settings = Settings {
        user: config.user.clone(),
        labels: annotations.clone(),
        annotations,
        created: facts.created,
    };
    let assembled = image::assemble(&contents, &settings)?;
    let layout = Layout::create(place.registry())?;
    assembled.package.put(&layout).await?;
    let digest = assembled.index.digest;
    let index = assembled.package.manifests.iter().find(|manifest| manifest.digest == digest);
    let index = index.map(|manifest| manifest.bytes.clone()).unwrap_or_default();
    fs::write_atomic(&place.dist().join("image-manifest.json"), &index)?;
    let name = format!("{}:{}", config.repository, facts.tag.file_part());
    let lines = image::digest_lines(&name, &digest, &assembled.platforms);
    fs::write_atomic(&place.dist().join("image-digests.txt"), lines.as_bytes())?;
    // The plan reads the same two files; here the entry is needed before there is anything else to plan.
    let entry = ImageEntry {
        repository: config.repository.clone(),
        digest,
        platforms: assembled
            .platforms
            .into_iter()
            .map(|(platform, digest)| crate::model::PlatformEntry { platform, digest })
            .collect(),
        tags: vec![facts.tag.file_part()],
        rolling: Vec::new(),
        referrers: Vec::new(),
    };
    Ok((layout, entry))
}

fn platforms(entry: &ImageEntry) -> String {
    entry.platforms.iter().map(|entry| entry.platform.to_string()).collect::<Vec<_>>().join(", ")
}

/// Puts a file into dist.
type Put<'a> = dyn Fn(&str, &[u8]) -> Result<(), CliError> + 'a;

/// Changelog and release notes. Notes never stop a release: when they cannot be made, a person gets a template.
fn notes_of(
    context: &Context,
    project: &crate::cli::project::Project,
    inputs: &Inputs,
    image: Option<&ImageEntry>,
    put: &Put<'_>,
) -> Result<(), CliError> {
    let facts = &inputs.facts;
    let tag = facts.tag.file_part();
    let named = |name: &str| name.parse::<AssetName>().ok();
    // What is made after the notes is there when they are read.
    let later = [CHECKSUMS].into_iter().chain((!inputs.executables.is_empty()).then_some("sbom.json"));
    let document = Document {
        name: facts.name.clone(),
        image: image.map(|image| format!("{}:{tag}@{}", image.repository, image.digest)),
        files: inputs
            .assets
            .iter()
            .map(|(name, bytes)| (name.clone(), Some(Digest::of(bytes))))
            .chain(later.filter_map(named).map(|name| (name, None)))
            .collect(),
        ..Document::default()
    };
    let (changelog, text) = match notes::texts(project, facts, document) {
        Ok(texts) => {
            if texts.body.left_out > 0 {
                context.printer.warn(&counted(
                    texts.body.left_out,
                    "line of the release notes is in the changelog only",
                    "lines of the release notes are in the changelog only",
                ));
            }
            (texts.changelog, texts.body.text)
        }
        Err(error) => {
            let reason = &error.problem().message;
            context
                .printer
                .warn(&format!("the notes could not be generated ({reason}); a template is in their place"));
            let blank = |blank| {
                crate::notes::manual(blank, &facts.name, &facts.version.to_string(), reason, MANUAL_MARK)
            };
            (blank(Blank::Changelog)?, blank(Blank::ReleaseNotes)?)
        }
    };
    put(&format!("CHANGELOG-{tag}.md"), changelog.as_bytes())?;
    put(&format!("RELEASE-NOTES-{tag}.md"), text.as_bytes())
}

fn bill(inputs: &Inputs, image: Option<&ImageEntry>) -> Result<Vec<u8>, CliError> {
    let about = About {
        name: inputs.facts.name.clone(),
        version: inputs.facts.version.clone(),
        created: inputs.facts.created,
        image: image.map(|image| ImageSubject {
            repository: Some(image.repository.clone()),
            digest: image.digest,
            platform: None,
        }),
    };
    let manifest = |platform| {
        let entries = image.into_iter().flat_map(|image| &image.platforms);
        entries.into_iter().find(|entry| entry.platform == platform).map(|entry| entry.digest)
    };
    let executables: Vec<Executable<'_>> = inputs
        .executables
        .iter()
        .map(|executable| Executable {
            platform: executable.platform.clone(),
            name: executable.name.to_string(),
            bytes: &executable.bytes,
            manifest: manifest(executable.platform.clone()),
        })
        .collect();
    crate::cli::sbom::document(&about, &executables, inputs.cargo_lock.as_deref())
}

/// Checksums over every file, then the three bundles.
async fn sign(
    inputs: &Inputs,
    place: &Place,
    trust: &LocalTrust,
    signer: &SignerIdentity,
    image: Option<&ImageEntry>,
) -> Result<(), CliError> {
    let dist = Directory::new(place.dist());
    let mut files: Vec<(AssetName, Digest)> = Vec::new();
    for entry in dist.list(Path::new("."))? {
        let name = entry.name.as_str();
        if name != CHECKSUMS && name != ReleaseManifest::ASSET && !attest::vouches(name) {
            let asset =
                name.parse().map_err(|error| CliError::usage("rehearse-asset", format!("{error}")))?;
            files.push((asset, dist.digest(Path::new(name))?.0));
        }
    }
    let checksums = attest::checksums(&files);
    fs::write_atomic(&place.dist().join(CHECKSUMS), checksums.as_bytes())?;
    let digest = Digest::of(checksums.as_bytes());
    files.push((
        CHECKSUMS.parse().map_err(|error| CliError::usage("rehearse-asset", format!("{error}")))?,
        digest,
    ));
    let kept = |name: &str, digest: &Digest, statement: Option<&[u8]>| {
        let Ok(bytes) = dist.read(Path::new(name), 32 << 20) else { return false };
        trust.verify(&bytes, digest, signer).is_ok_and(|verified| verified.statement.as_deref() == statement)
    };
    if !kept(CHECKSUMS_BUNDLE, &digest, None) {
        let bundle = trust.sign_digest(&digest).await?;
        fs::write_atomic(&place.dist().join(CHECKSUMS_BUNDLE), &bundle)?;
    }
    let mut bundles = vec![CHECKSUMS_BUNDLE];
    if let Some(image) = image {
        let statement = attest::image_statement(image).to_bytes();
        if !kept(IMAGE_BUNDLE, &image.digest, Some(&statement)) {
            let bundle = trust.sign_statement(&statement).await?;
            fs::write_atomic(&place.dist().join(IMAGE_BUNDLE), &bundle)?;
        }
        bundles.push(IMAGE_BUNDLE);
    }
    for name in bundles {
        let asset = name.parse().map_err(|error| CliError::usage("rehearse-asset", format!("{error}")))?;
        files.push((asset, dist.digest(Path::new(name))?.0));
    }
    // Everything but the bundles is there, so the plan has every fact the statement is about. A manifest of an
    // earlier run would stand in its way.
    fs::remove_file(&place.dist().join(ReleaseManifest::ASSET))?;
    let facts = release_manifest::predicate(&plan(&inputs.facts, &dist)?.manifest);
    let statement = attest::release_statement(&files, facts).to_bytes();
    if !kept(RELEASE_BUNDLE, &digest, Some(&statement)) {
        let bundle = trust.sign_statement(&statement).await?;
        fs::write_atomic(&place.dist().join(RELEASE_BUNDLE), &bundle)?;
    }
    Ok(())
}
