//! Build information that the Go linker leaves in an executable (Go, `debug/buildinfo` and `runtime/debug`).
//!
//! A header of 32 bytes, aligned to 16, starts with `\xff Go buildinf:`. Since Go 1.18 the two strings (version of the
//! toolchain, module information) follow as varint length and bytes; before, the header held two pointers to Go strings.

use super::binary::{Binary, MAX_SECTION};
use crate::diag::{Hint, Kind};

/// The first 14 bytes of the header.
const MAGIC: &[u8; 14] = b"\xff Go buildinf:";
const ALIGNMENT: usize = 16;
const HEADER: usize = 32;
/// Bit of the flags byte: big endian (pointer form).
const BIG_ENDIAN: u8 = 1;
/// Bit of the flags byte: the strings follow the header.
const INLINE: u8 = 2;
/// The linker frames the module information with 16 bytes on either side.
const FRAME: usize = 16;
/// The most modules and settings that are read.
const MAX_LINES: usize = 100_000;

/// What the linker recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GoBuildInfo {
    /// The version of the toolchain, for example `go1.26.8`.
    pub go_version: String,
    /// The import path of the main package.
    pub path: Option<String>,
    /// The module of the main package; absent when single files were built.
    pub main: Option<GoModule>,
    /// The modules that packages came from, in the order of the file.
    pub deps: Vec<GoModule>,
    /// Settings of the build in the order of the file, for example `GOOS` = `linux`.
    pub settings: Vec<(String, String)>,
}

/// A Go module at a version.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GoModule {
    /// The module path.
    pub path: String,
    /// The version; `(devel)` or empty when the module was not taken from a version.
    pub version: String,
    /// The `h1:` checksum as in go.sum; may be empty.
    pub sum: String,
    /// What was used in its place (`replace` in go.mod).
    pub replace: Option<Box<GoModule>>,
}

impl GoBuildInfo {
    /// A setting of the build.
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.settings.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

/// Reads the build information of an executable; `None` when it carries none.
pub fn read(binary: &Binary<'_>) -> Result<Option<GoBuildInfo>, GoBuildInfoError> {
    let section = binary
        .section(".go.buildinfo")
        .or_else(|| binary.section("__go_buildinfo"))
        .or_else(|| binary.data_segment());
    let Some(header) = section.and_then(find_header) else {
        return Ok(None);
    };
    let flags = header[15];
    let (version, module) = if flags & INLINE != 0 {
        let (version, rest) = inline_string(&header[HEADER..])?;
        let (module, _) = inline_string(rest)?;
        (version, module)
    } else {
        pointed_strings(binary, header)?
    };
    if version.is_empty() {
        return Ok(None);
    }
    let go_version = std::str::from_utf8(version).map_err(|_| GoBuildInfoError::NotText)?.to_owned();
    let module = unframe(module);
    let module = std::str::from_utf8(module).map_err(|_| GoBuildInfoError::NotText)?;
    parse_module(go_version, module).map(Some)
}

fn find_header(data: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    while let Some(header) = data.get(at..).filter(|rest| rest.len() >= HEADER) {
        if header.starts_with(MAGIC) {
            return Some(header);
        }
        at += ALIGNMENT;
    }
    None
}

/// A length as an unsigned varint and that many bytes.
fn inline_string(data: &[u8]) -> Result<(&[u8], &[u8]), GoBuildInfoError> {
    let mut length = 0_u64;
    for (index, byte) in data.iter().take(9).enumerate() {
        length |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let rest = &data[index + 1..];
            return rest.split_at_checked(length).ok_or(GoBuildInfoError::Cut);
        }
    }
    Err(GoBuildInfoError::Cut)
}

fn pointed_strings<'a>(binary: &Binary<'a>, header: &[u8]) -> Result<(&'a [u8], &'a [u8]), GoBuildInfoError> {
    let width = match header[14] {
        4 => 4,
        8 => 8,
        found => return Err(GoBuildInfoError::PointerSize { found }),
    };
    let number = |bytes: &[u8]| {
        let fold = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        if header[15] & BIG_ENDIAN != 0 {
            bytes.iter().fold(0, fold)
        } else {
            bytes.iter().rev().fold(0, fold)
        }
    };
    let string = |pointer: u64| {
        let size = width as u64;
        let head = binary.memory(pointer, 2 * size).ok_or(GoBuildInfoError::Cut)?;
        let (address, length) = (number(&head[..width]), number(&head[width..]));
        if length == 0 {
            return Ok(&[][..]);
        }
        binary.memory(address, length).ok_or(GoBuildInfoError::Cut)
    };
    let version = string(number(&header[16..16 + width]))?;
    let module = match number(&header[16 + width..16 + 2 * width]) {
        0 => &[][..],
        pointer => string(pointer)?,
    };
    Ok((version, module))
}

fn unframe(module: &[u8]) -> &[u8] {
    let inner = module.len().checked_sub(FRAME).and_then(|end| module.get(FRAME..end));
    inner.filter(|inner| inner.ends_with(b"\n")).unwrap_or_default()
}

/// Reads the text that `go version -m` prints below the first line (`runtime/debug`, `BuildInfo.String`).
pub fn parse_module(go_version: String, text: &str) -> Result<GoBuildInfo, GoBuildInfoError> {
    if text.len() > MAX_SECTION {
        return Err(GoBuildInfoError::TooLong { found: text.len() });
    }
    let mut info = GoBuildInfo { go_version, ..GoBuildInfo::default() };
    // An empty line follows every replacement.
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
        let malformed = || GoBuildInfoError::Line { line: index + 1, found: shown(line) };
        if index >= MAX_LINES {
            return Err(GoBuildInfoError::TooLong { found: text.len() });
        }
        let (word, rest) = line.split_once('\t').ok_or_else(malformed)?;
        match word {
            "path" => info.path = Some(rest.to_owned()),
            "mod" => info.main = Some(module(rest).ok_or_else(malformed)?),
            "dep" => info.deps.push(module(rest).ok_or_else(malformed)?),
            "=>" => {
                let replaced = info.deps.last_mut().or(info.main.as_mut()).ok_or_else(malformed)?;
                replaced.replace = Some(Box::new(module(rest).ok_or_else(malformed)?));
            }
            "build" => info.settings.push(setting(rest).ok_or_else(malformed)?),
            _ => return Err(malformed()),
        }
    }
    Ok(info)
}

fn module(columns: &str) -> Option<GoModule> {
    let mut columns = columns.split('\t');
    let path = columns.next().filter(|path| !path.is_empty())?.to_owned();
    let version = columns.next().unwrap_or_default().to_owned();
    let sum = columns.next().unwrap_or_default().to_owned();
    columns.next().is_none().then_some(GoModule { path, version, sum, replace: None })
}

fn setting(text: &str) -> Option<(String, String)> {
    let (key, rest) = if text.starts_with(['"', '`']) { unquote(text)? } else { (String::new(), text) };
    let (key, value) = match rest.split_once('=')? {
        ("", value) if !key.is_empty() => (key, value),
        (plain, value) if key.is_empty() && !plain.is_empty() => (plain.to_owned(), value),
        _ => return None,
    };
    if value.starts_with(['"', '`']) {
        let (value, rest) = unquote(value)?;
        return rest.is_empty().then_some((key, value));
    }
    Some((key, value.to_owned()))
}

/// A Go string literal at the start of a text, and what follows it (Go specification, "String literals").
fn unquote(text: &str) -> Option<(String, &str)> {
    if let Some(raw) = text.strip_prefix('`') {
        let (inner, rest) = raw.split_once('`')?;
        return Some((inner.replace('\r', ""), rest));
    }
    let mut rest = text.strip_prefix('"')?;
    let mut bytes = Vec::new();
    loop {
        let c = rest.chars().next()?;
        rest = &rest[c.len_utf8()..];
        match c {
            '"' => return Some((String::from_utf8_lossy(&bytes).into_owned(), rest)),
            '\\' => rest = escape(rest, &mut bytes)?,
            _ => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

fn escape<'a>(text: &'a str, bytes: &mut Vec<u8>) -> Option<&'a str> {
    let c = text.chars().next()?;
    let rest = &text[c.len_utf8()..];
    let simple = match c {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 11,
        '\\' => b'\\',
        '\'' => b'\'',
        '"' => b'"',
        'x' => {
            bytes.push(u8::from_str_radix(rest.get(..2)?, 16).ok()?);
            return rest.get(2..);
        }
        'u' | 'U' => {
            let digits = if c == 'u' { 4 } else { 8 };
            let code = u32::from_str_radix(rest.get(..digits)?, 16).ok()?;
            bytes.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut [0; 4]).as_bytes());
            return rest.get(digits..);
        }
        '0'..='7' => {
            bytes.push(u8::from_str_radix(text.get(..3)?, 8).ok()?);
            return text.get(3..);
        }
        _ => return None,
    };
    bytes.push(simple);
    Some(rest)
}

fn shown(line: &str) -> String {
    line.escape_debug().take(120).collect()
}

/// Why build information could not be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum GoBuildInfoError {
    /// A string of the build information leaves the file.
    #[error("the Go build information ends early")]
    Cut,
    /// The pointer form with a size no Go has.
    #[error("the Go build information has pointers of {found} bytes, expected 4 or 8")]
    PointerSize {
        /// Bytes.
        found: u8,
    },
    /// A string is not UTF-8.
    #[error("the Go build information is not UTF-8")]
    NotText,
    /// More text than any build has.
    #[error("the Go build information has {found} bytes in more than {MAX_LINES} lines")]
    TooLong {
        /// Bytes.
        found: usize,
    },
    /// A line that Go does not write.
    #[error("line {line} of the Go build information cannot be read: `{found}`")]
    Line {
        /// 1-based.
        line: usize,
        /// The line, escaped, at most 120 characters.
        found: String,
    },
}

impl Hint for GoBuildInfoError {
    fn code(&self) -> &'static str {
        "go-build-info"
    }

    fn kind(&self) -> Kind {
        Kind::Undecided
    }

    fn hints(&self) -> Vec<String> {
        vec!["`go version -m FILE` shows what the toolchain reads; build with Go 1.18 or newer".to_owned()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "path\texample.com/app/cmd\nmod\texample.com/app\tv1.2.3\t\ndep\texample.com/a\tv0.1.0\th1:aa=\n\
        dep\texample.com/b\tv1.0.0\n=>\texample.com/c\tv2.0.0\th1:cc=\n\nbuild\t-ldflags=\"-s -w\"\n\
        build\tvcs.modified=false\nbuild\t\"odd key\"=`x y`\n";

    #[test]
    fn reads_modules_replacements_and_settings() {
        let info = parse_module("go1.26.8".to_owned(), TEXT).unwrap();
        assert_eq!(info.path.as_deref(), Some("example.com/app/cmd"));
        assert_eq!(info.main.as_ref().unwrap().version, "v1.2.3");
        assert_eq!(info.deps.len(), 2);
        assert_eq!(info.deps[0].sum, "h1:aa=");
        assert_eq!(info.deps[1].replace.as_ref().unwrap().path, "example.com/c");
        assert_eq!(info.setting("-ldflags"), Some("-s -w"));
        assert_eq!(info.setting("vcs.modified"), Some("false"));
        assert_eq!(info.setting("odd key"), Some("x y"));
    }

    #[test]
    fn unquotes_the_literals_of_go() {
        assert_eq!(unquote(r#""a\tb\x41\u00e9\101\"" rest"#), Some(("a\tbAéA\"".to_owned(), " rest")));
        assert_eq!(unquote("`raw\\n`"), Some(("raw\\n".to_owned(), "")));
        assert_eq!(unquote(r#""open"#), None);
    }

    #[test]
    fn a_line_go_does_not_write_is_an_error() {
        for text in ["path", "what\tis\n", "=>\ta\tb\n", "dep\t\n", "mod\ta\tb\tc\td\n", "build\tnothing\n"] {
            assert!(
                matches!(parse_module(String::new(), text), Err(GoBuildInfoError::Line { line: 1, .. })),
                "{text:?}"
            );
        }
    }

    #[test]
    fn inline_strings_are_bounded() {
        assert_eq!(inline_string(b"\x02abc"), Ok((&b"ab"[..], &b"c"[..])));
        assert_eq!(inline_string(b"\x05abc"), Err(GoBuildInfoError::Cut));
        assert_eq!(inline_string(&[0xff; 20]), Err(GoBuildInfoError::Cut));
        assert_eq!(inline_string(b""), Err(GoBuildInfoError::Cut));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text: String, bytes: Vec<u8>) {
            let _ = parse_module(String::new(), &text);
            let _ = inline_string(&bytes);
            let _ = setting(&text);
            let _ = find_header(&bytes);
            let _ = unframe(&bytes);
        }
    }
}
