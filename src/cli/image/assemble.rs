//! `image assemble`: static binaries to an image.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use jiff::Timestamp;

use super::{CliError, Context, FORMATS, Reply, place};
use crate::adapter::oci::Layout;
use crate::image::{Contents, Looked, Settings, Wanted, assemble, digest_lines, plan_moves};
use crate::model::{Inside, Platform, Target};
use crate::port::Registry as _;
use crate::render::json::v1;

/// Most bytes of one binary.
const BINARY_LIMIT: u64 = 1 << 30;

/// Make a reproducible multi-platform image from static binaries
///
/// The image is written to the layout directory given with -o oci:DIR[:TAG], which is made when it does not exist. The
/// time of everything in it is SOURCE_DATE_EPOCH, or 1970 when that is not set.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  kyklos-release image assemble --binary linux/amd64=dist/app --annotation \
                        org.opencontainers.image.version=1.2.3 -o oci:registry:v1.2.3"
)]
pub(super) struct Args {
    /// A binary and the platform it is for; all have the same file name, or --name gives it
    #[arg(long, value_name = "OS/ARCH=PATH", required = true)]
    binary: Vec<Binary>,
    /// Name of the file in the image [default: file name of the first binary]
    #[arg(long)]
    name: Option<String>,
    /// Who it runs as, in numbers
    #[arg(long, value_name = "UID[:GID]", default_value = "65532")]
    user: String,
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

pub(super) fn run(context: &Context, args: Args) -> Result<Reply, CliError> {
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
    let settings = Settings {
        user: args.user,
        labels: pairs(args.label),
        annotations: pairs(args.annotation),
        created: epoch(context)?,
    };
    let mut contents = Vec::new();
    let mut name = args.name;
    for Binary { platform, path } in args.binary {
        let own = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name = name.get_or_insert(own).clone();
        contents.push(Contents { platform, name, bytes: context.read(&path, BINARY_LIMIT)? });
    }
    let assembled = assemble(&contents, &settings)?;
    let layout = Layout::create(context.path(&path))?;
    let tags: Vec<String> = tag.into_iter().collect();
    context.block_on(async {
        // A tag that may not move is told before anything is stored.
        let wanted = Wanted { tags: &tags, ..Wanted::default() };
        let moves = plan_moves(&layout, &assembled.index.digest, &wanted, &Looked::new()).await?;
        assembled.package.put(&layout).await?;
        for change in moves.iter().filter(|change| change.state.is_written()) {
            layout.tag(&change.tag, &assembled.index.digest).await?;
        }
        Ok(())
    })?;
    let text = digest_lines(&target.to_string(), &assembled.index.digest, &assembled.platforms);
    let wire = v1::image::Assembled::new(target.to_string(), &assembled);
    Reply::done("kyklos-release/image-assemble/v1", &wire, text)
}

pub(super) fn pairs(pairs: Vec<Pair>) -> BTreeMap<String, String> {
    pairs.into_iter().map(|Pair(key, value)| (key, value)).collect()
}

/// `SOURCE_DATE_EPOCH` (reproducible-builds.org), or 1970: an image that is made twice is the same image.
fn epoch(context: &Context) -> Result<Timestamp, CliError> {
    let Some(text) = context.variable("SOURCE_DATE_EPOCH") else { return Ok(Timestamp::UNIX_EPOCH) };
    let seconds = text.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    seconds.ok_or_else(|| {
        CliError::usage("source-date-epoch", "SOURCE_DATE_EPOCH is not a time")
            .fact("expected", "seconds since 1970")
            .fact("found", text)
    })
}
