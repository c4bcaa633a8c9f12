//! `go test -json` (`go doc test2json`): one JSON event per line.
//!
//! Stricter than the usual readers: a build failure has no test event and still fails, a package without an end is an
//! incomplete report, and a test that started and never ended failed.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::junit::TestRun;

/// The largest report that is read.
pub const MAX_BYTES: usize = 512 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    action: String,
    #[serde(default)]
    package: Option<String>,
    #[serde(default)]
    import_path: Option<String>,
    #[serde(default)]
    test: Option<String>,
}

/// Reads a report.
pub fn read(bytes: &[u8]) -> Result<TestRun, GotestError> {
    if bytes.len() > MAX_BYTES {
        return Err(GotestError::TooLarge { found: bytes.len() });
    }
    let text = std::str::from_utf8(bytes).map_err(|_| GotestError::NotText)?;
    let mut run = TestRun::default();
    let mut open: BTreeMap<(String, Option<String>), ()> = BTreeMap::new();
    let mut packages = 0_u64;
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let event: Event =
            serde_json::from_str(line).map_err(|source| GotestError::Line { number: index + 1, source })?;
        if event.action == "build-fail" {
            run.failed.push(format!("{} does not build", event.import_path.unwrap_or_default()));
            continue;
        }
        if event.action == "build-output" {
            continue;
        }
        // `go tool test2json` without `-p` names none; what fails there still failed.
        let package = event.package.unwrap_or_else(|| "a package without a name".to_owned());
        // Older toolchains write no start event: whatever happens in a package opens it.
        if open.insert((package.clone(), None), ()).is_none() {
            packages += 1;
        }
        let key = (package, event.test);
        let name = key.1.as_ref().map_or_else(|| key.0.clone(), |test| format!("{}.{test}", key.0));
        match (event.action.as_str(), key.1.is_some()) {
            ("start" | "run", _) => {
                open.insert(key, ());
            }
            ("pass", true) => {
                run.passed += 1;
                open.remove(&key);
            }
            ("skip", true) => {
                run.skipped += 1;
                open.remove(&key);
            }
            ("fail", _) => {
                run.failed.push(name);
                open.remove(&key);
            }
            ("pass" | "skip", false) => {
                open.remove(&key);
            }
            ("output" | "pause" | "cont" | "bench" | "attr" | "artifacts", _) => {}
            (found, _) => {
                return Err(GotestError::Action {
                    number: index + 1,
                    found: found.escape_debug().take(40).collect(),
                });
            }
        }
    }
    if packages == 0 && run.passed == 0 && run.failed.is_empty() {
        return Err(GotestError::Nothing);
    }
    for (package, test) in open.into_keys() {
        match test {
            Some(test) => run.failed.push(format!("{package}.{test} never ended")),
            None => return Err(GotestError::Incomplete { package }),
        }
    }
    run.failed.sort();
    run.failed.dedup();
    Ok(run)
}

/// Why bytes are no complete report.
#[derive(Debug, thiserror::Error)]
pub enum GotestError {
    /// Too many bytes.
    #[error("the report has {found} bytes, at most {MAX_BYTES} are read")]
    TooLarge {
        /// Bytes.
        found: usize,
    },
    /// Not UTF-8.
    #[error("the report is not UTF-8 text")]
    NotText,
    /// A line that is no event.
    #[error("line {number} is no event of `go test -json`: {source}")]
    Line {
        /// 1-based.
        number: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// An event of a kind that Go does not write, which may say anything.
    #[error("line {number} is an event of kind `{found}`, which `go test -json` does not write")]
    Action {
        /// 1-based.
        number: usize,
        /// The kind.
        found: String,
    },
    /// No package at all.
    #[error("it reports no package")]
    Nothing,
    /// A package without an end.
    #[error("the report ends before {package} does")]
    Incomplete {
        /// The package.
        package: String,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = r#"{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"A"}
{"Action":"pass","Package":"p","Test":"A"}
{"Action":"run","Package":"p","Test":"B"}
{"Action":"skip","Package":"p","Test":"B"}
{"Action":"pass","Package":"p"}
"#;

    #[test]
    fn counts() {
        assert_eq!(read(GOOD.as_bytes()).unwrap(), TestRun { passed: 1, failed: vec![], skipped: 1 });
    }

    #[test]
    fn nothing_passes_by_accident() {
        let ended = |text: &str| read(text.as_bytes()).map_err(|error| error.to_string());
        assert!(ended("").is_err());
        assert!(ended("garbage").is_err());
        assert_eq!(ended(&GOOD[..GOOD.len() - 32]).unwrap_err(), "the report ends before p does");
        let hung = GOOD.replace("{\"Action\":\"pass\",\"Package\":\"p\",\"Test\":\"A\"}\n", "");
        assert_eq!(ended(&hung).unwrap().failed, ["p.A never ended"]);
        let build = format!("{GOOD}{{\"Action\":\"build-fail\",\"ImportPath\":\"q\"}}\n");
        assert_eq!(ended(&build).unwrap().failed, ["q does not build"]);
        let nameless = format!("{GOOD}{{\"Action\":\"fail\"}}\n");
        assert_eq!(ended(&nameless).unwrap().failed, ["a package without a name"]);
        let odd = GOOD.replacen("run", "explode", 1);
        assert_eq!(
            ended(&odd).unwrap_err(),
            "line 2 is an event of kind `explode`, which `go test -json` does not write"
        );
        let fail = GOOD.replace("\"pass\",\"Package\":\"p\"}", "\"fail\",\"Package\":\"p\"}");
        assert_eq!(ended(&fail).unwrap().failed, ["p"]);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
        }
    }
}
