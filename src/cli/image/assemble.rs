//! `image assemble`: static binaries to an image.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{CliError, Context, FORMATS, Opened, Reply, open, place};
use crate::adapter::oci::Layout;
use crate::diag::{Diagnostic, Severity};
use crate::format::binary::elf_architecture;
use crate::image::{
    Assembled, Contents, Foundation, ImageError, Looked, Settings, Wanted, assemble_on, digest_lines, hold,
    plan_moves,
};
use crate::model::{ByteSize, Inside, Platform, Target};
use crate::port::{Content, Registry as _};
use crate::render::json::v1;

/// Most bytes of one binary.
const BINARY_LIMIT: u64 = 1 << 30;

/// Make a reproducible multi-platform image from static binaries
///
/// The image is written to the layout directory given with -o oci:DIR[:TAG], which is made when it does not exist. The
/// time of everything in it is SOURCE_DATE_EPOCH, or 1970 when that is not set.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  kyklos-release image assemble --binary linux/amd64=dist/app --annotation \
                        org.opencontainers.image.version=1.2.3 -o oci:registry:v1.2.3\n  kyklos-release image \
                        assemble --binary linux/amd64=dist/app --base gcr.io/distroless/static:nonroot --max-size \
                        20MB -o oci:registry:v1.2.3"
)]
pub(super) struct Args {
    /// A binary and the platform it is for; all get the same name in the image
    #[arg(long, value_name = "OS/ARCH=PATH", required = true)]
    binary: Vec<Binary>,
    /// Name of the file in the image [default: file name of the first binary, without its platform]
    #[arg(long)]
    name: Option<String>,
    /// An image whose layers come below the binary, and whose config is inherited
    #[arg(long, value_name = "TARGET")]
    base: Option<Target>,
    /// Who it runs as, in numbers [default: the user of the base unless that is root, else 65532]
    #[arg(long, value_name = "UID[:GID]")]
    user: Option<String>,
    /// The largest compressed size of a platform, for example 20MB; a larger image is not stored
    #[arg(long, value_name = "SIZE")]
    max_size: Option<ByteSize>,
    /// A label of every config
    #[arg(long, value_name = "K=V")]
    label: Vec<Pair>,
    /// An annotation of the index and of every manifest
    #[arg(long, value_name = "K=V")]
    annotation: Vec<Pair>,
}

#[derive(Debug, Clone)]
struct Binary {
    platform: Platform,
    path: PathBuf,
}

impl FromStr for Binary {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (platform, path) = text.split_once('=').ok_or("expected OS/ARCH=PATH")?;
        let platform = platform.parse::<Platform>().map_err(|error| error.to_string())?;
        Ok(Self { platform, path: path.into() })
    }
}

#[derive(Debug, Clone)]
pub(super) struct Pair(String, String);

impl FromStr for Pair {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Self(key.to_owned(), value.to_owned())),
            _ => Err("expected KEY=VALUE"),
        }
    }
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Reply, CliError> {
    context.allow(FORMATS)?;
    let missing = || {
        CliError::usage("image-output", "there is no place for the image")
            .hinted("name a layout directory, for example -o oci:registry:v1.2.3")
    };
    let output = context.take_output().ok_or_else(missing)?;
    let target: Target = output
        .to_string_lossy()
        .parse()
        .map_err(|error: crate::model::InvalidTarget| CliError::usage("image-target", error.to_string()))?;
    let Inside { path, tag, digest } = place(&target)?.clone();
    if digest.is_some() {
        return Err(CliError::usage("image-target", "the digest of an image follows from its content")
            .hinted("give a tag or nothing"));
    }
    let (contents, machines) = contents(context, &args.binary, args.name.clone())?;
    let platforms: Vec<Platform> =
        contents.iter().map(|content| content.platform.clone().normalised()).collect();
    let created = context.epoch()?;
    let path = context.path(&path);
    let tags: Vec<String> = tag.into_iter().collect();
    let (assembled, base) = context.block_on(async {
        let base = match &args.base {
            Some(target) => Some(foundation(context, target, &platforms).await?),
            None => None,
        };
        let found = base.as_ref().map(|(_, base)| base);
        let inherited = found.and_then(Foundation::user);
        let settings = Settings {
            user: args.user.as_deref().or(inherited).unwrap_or(USER).to_owned(),
            labels: pairs(&args.label),
            annotations: pairs(&args.annotation),
            created,
        };
        let assembled = assemble_on(found, &contents, &settings)?;
        check_sizes(&assembled, args.max_size)?;
        let layout = Layout::create(path)?;
        // A tag that may not move is told before anything is stored.
        let wanted = Wanted { tags: &tags, ..Wanted::default() };
        let moves = plan_moves(&layout, &assembled.index.digest, &wanted, &Looked::new()).await?;
        if let Some((opened, base)) = &base {
            for layer in base.layers() {
                layout.put_blob(&Content::stored(&*opened.registry, layer), None).await?;
            }
        }
        assembled.package.put(&layout).await?;
        let _hold = hold(&layout, &assembled.index.digest, &moves).await?;
        for change in moves.iter().filter(|change| change.state.is_written()) {
            layout.tag(&change.tag, &assembled.index.digest).await?;
        }
        Ok((assembled, base.map(|(_, base)| base.digest)))
    })?;
    let text = digest_lines(&target.to_string(), &assembled.index.digest, &assembled.platforms);
    let wire = v1::image::Assembled::new(target.to_string(), &assembled, base.as_ref());
    let mut reply = Reply::done("kyklos-release/image-assemble/v1", &wire, text)?;
    for found in machines {
        context.printer.note(&format!("warning[{}]: {}", found.code, found.message));
        reply.diagnostics.push(found);
    }
    Ok(reply)
}

/// Who an image runs as that says nothing else: nobody, as distroless images call it.
const USER: &str = "65532";

/// The binaries, and a finding for each that is made for another machine than its platform.
fn contents(
    context: &Context,
    binaries: &[Binary],
    mut name: Option<String>,
) -> Result<(Vec<Contents>, Vec<Diagnostic>), CliError> {
    let (mut contents, mut findings) = (Vec::new(), Vec::new());
    for Binary { platform, path } in binaries {
        let name = name.get_or_insert_with(|| program(platform, path)).clone();
        let bytes = context.read(path, BINARY_LIMIT)?;
        if let Some(found) = elf_architecture(&bytes).filter(|found| *found != platform.architecture()) {
            let message = format!("{platform}: the binary is made for {found}");
            let finding = Diagnostic::new(Severity::Warning, "image-machine", message);
            findings.push(finding.at(path.display().to_string()));
        }
        contents.push(Contents { platform: platform.clone(), name, bytes });
    }
    Ok((contents, findings))
}

/// What a program is called in the image: its file name without the platform that builders put behind it.
fn program(platform: &Platform, path: &Path) -> String {
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let (os, architecture) = (platform.os(), platform.architecture());
    let written = |mark: &str| {
        let plain = [architecture.to_owned()];
        let with_variant = platform.variant().into_iter().flat_map(|variant| {
            [format!("{architecture}{mark}{variant}"), format!("{architecture}{variant}")]
        });
        with_variant
            .chain(plain)
            .flat_map(|end| [format!("{mark}{os}{mark}{end}"), format!("{mark}{end}")])
            .collect::<Vec<_>>()
    };
    ["-", "_"]
        .into_iter()
        .flat_map(written)
        .find_map(|ending| file.strip_suffix(&ending).filter(|name| !name.is_empty()).map(str::to_owned))
        .unwrap_or(file)
}

/// The base, as far as it is needed, and the store its layers are in.
async fn foundation(
    context: &Context,
    target: &Target,
    platforms: &[Platform],
) -> Result<(Opened, Foundation), CliError> {
    let opened = open(context, target)?;
    let root = opened.manifest().await?;
    // A path of this machine is no name that others could find the base by.
    let name = match target {
        Target::Registry(_) => Some(target.without_digest().to_string()),
        Target::File(_)
        | Target::Dir(_)
        | Target::Layout(_)
        | Target::LayoutTar(_)
        | Target::DockerArchive(_) => None,
    };
    let base = Foundation::read(&*opened.registry, root, name, platforms).await?;
    Ok((opened, base))
}

fn check_sizes(assembled: &Assembled, limit: Option<ByteSize>) -> Result<(), CliError> {
    let Some(ByteSize(limit)) = limit else { return Ok(()) };
    let sizes = assembled.platforms.iter().zip(&assembled.sizes);
    match sizes.into_iter().find(|(_, size)| **size > limit) {
        Some(((platform, _), found)) => {
            Err(ImageError::TooLarge { platform: platform.clone(), limit, found: *found }.into())
        }
        None => Ok(()),
    }
}

pub(super) fn pairs(pairs: &[Pair]) -> BTreeMap<String, String> {
    pairs.iter().map(|Pair(key, value)| (key.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_called_without_its_platform() {
        for (path, expected) in [
            ("bin/app-amd64", "app"),
            ("app_linux_amd64", "app"),
            ("app-linux-amd64", "app"),
            ("app-arm64", "app-arm64"),
            ("my-amd64-app", "my-amd64-app"),
            ("-amd64", "-amd64"),
            ("app", "app"),
        ] {
            assert_eq!(program(&"linux/amd64".parse().unwrap(), Path::new(path)), expected, "{path}");
        }
    }
}
