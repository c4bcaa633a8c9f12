//! JUnit XML, as the common runners write it.
//!
//! Counts the `testcase` elements and believes no counter; a counter that disagrees makes the report unreadable. A
//! failure or error outside of a test case counts as one.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// The largest report that is read.
pub const MAX_BYTES: usize = 64 << 20;
/// The deepest nesting that is followed.
const MAX_DEPTH: usize = 64;

/// Counted results of a report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TestRun {
    /// Tests that ended well.
    pub passed: u64,
    /// Tests that did not, by name.
    pub failed: Vec<String>,
    /// Tests that were skipped.
    pub skipped: u64,
}

/// What the counters say: those of the suites together, and those of the element around them.
#[derive(Default)]
struct Announced {
    suites: Counters,
    root: Counters,
}

#[derive(Clone, Copy, Default)]
struct Counters {
    tests: u64,
    failed: u64,
}

impl Counters {
    fn count(&mut self, start: &BytesStart<'_>) -> Result<(), JunitError> {
        self.tests = self.tests.saturating_add(counter(start, "tests")?);
        let failed = counter(start, "failures")?.saturating_add(counter(start, "errors")?);
        self.failed = self.failed.saturating_add(failed);
        Ok(())
    }
}

#[derive(Default)]
struct Case {
    name: String,
    failed: bool,
    skipped: bool,
}

/// Reads a report.
pub fn read(bytes: &[u8]) -> Result<TestRun, JunitError> {
    if bytes.len() > MAX_BYTES {
        return Err(JunitError::TooLarge { found: bytes.len() });
    }
    let mut reader = Reader::from_reader(bytes);
    let mut run = TestRun::default();
    let mut stack: Vec<String> = Vec::new();
    let mut case: Option<Case> = None;
    let mut announced = Announced::default();
    let mut seen_root = false;
    loop {
        let event = reader.read_event().map_err(|source| JunitError::Xml { source })?;
        match event {
            Event::Start(start) | Event::Empty(start) if stack.len() >= MAX_DEPTH => {
                return Err(JunitError::Element { found: name(&start) });
            }
            Event::Start(start) => {
                seen_root = open(&start, &stack, seen_root, &mut case, &mut run, &mut announced)?;
                stack.push(start.name().as_ref().to_owned());
            }
            Event::Empty(start) => {
                seen_root = open(&start, &stack, seen_root, &mut case, &mut run, &mut announced)?;
                close(start.name().as_ref(), &mut case, &mut run);
            }
            Event::End(end) => {
                close(end.name().as_ref(), &mut case, &mut run);
                stack.pop();
            }
            Event::Text(text) if stack.is_empty() && !text.trim().is_empty() => {
                return Err(JunitError::Element { found: "text".to_owned() });
            }
            Event::DocType(_) => return Err(JunitError::Element { found: "DOCTYPE".to_owned() }),
            Event::Eof => break,
            _ => {}
        }
    }
    if !stack.is_empty() || !seen_root {
        return Err(JunitError::Truncated);
    }
    let counted = run.passed + run.skipped + run.failed.len() as u64;
    if counted == 0 {
        return Err(JunitError::Nothing);
    }
    let failed = run.failed.len() as u64;
    for Counters { tests, failed: failures } in [announced.suites, announced.root] {
        for (what, announced, counted) in [("tests", tests, counted), ("failures", failures, failed)] {
            if announced > counted {
                return Err(JunitError::Counters { what, announced, counted });
            }
        }
    }
    Ok(run)
}

fn open(
    start: &BytesStart<'_>,
    stack: &[String],
    seen_root: bool,
    case: &mut Option<Case>,
    run: &mut TestRun,
    announced: &mut Announced,
) -> Result<bool, JunitError> {
    let found = name(start);
    // A prefix would hide a failure from readers that do not resolve it.
    if found.contains(':') {
        return Err(JunitError::Element { found });
    }
    if stack.is_empty() && (seen_root || !["testsuites", "testsuite"].contains(&found.as_str())) {
        return Err(JunitError::Element { found });
    }
    match found.as_str() {
        "testsuites" if stack.is_empty() => announced.root.count(start)?,
        "testsuite" if !stack.iter().any(|parent| parent == "testsuite") => announced.suites.count(start)?,
        "testcase" if case.is_some() => return Err(JunitError::Element { found }),
        "testcase" => {
            let class = attribute(start, "classname")?.unwrap_or_default();
            let test = attribute(start, "name")?.unwrap_or_default();
            let name = if class.is_empty() { test } else { format!("{class}.{test}") };
            *case = Some(Case { name, ..Case::default() });
        }
        "failure" | "error" => match case {
            Some(case) => case.failed = true,
            None => run.failed.push("a suite failed outside of its tests".to_owned()),
        },
        "skipped" => {
            if let Some(case) = case {
                case.skipped = true;
            }
        }
        _ => {}
    }
    Ok(true)
}

fn close(element: &str, case: &mut Option<Case>, run: &mut TestRun) {
    if element != "testcase" {
        return;
    }
    match case.take() {
        Some(case) if case.failed => run.failed.push(case.name),
        Some(case) if case.skipped => run.skipped += 1,
        Some(_) => run.passed += 1,
        None => {}
    }
}

fn name(start: &BytesStart<'_>) -> String {
    start.name().as_ref().to_owned()
}

/// A counter; zero when it is not there.
fn counter(start: &BytesStart<'_>, key: &str) -> Result<u64, JunitError> {
    match attribute(start, key)? {
        None => Ok(0),
        Some(text) => text.parse().map_err(|_| JunitError::Attribute { found: format!("{key}=\"{text}\"") }),
    }
}

fn attribute(start: &BytesStart<'_>, key: &str) -> Result<Option<String>, JunitError> {
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| JunitError::Attribute { found: error.to_string() })?;
        if attribute.key.as_ref() == key {
            return Ok(Some(attribute.value.into_owned()));
        }
    }
    Ok(None)
}

/// Why bytes are no complete report.
#[derive(Debug, thiserror::Error)]
pub enum JunitError {
    /// Too many bytes.
    #[error("the report has {found} bytes, at most {MAX_BYTES} are read")]
    TooLarge {
        /// Bytes.
        found: usize,
    },
    /// Not XML.
    #[error("the report is not XML: {source}")]
    Xml {
        /// Why.
        source: quick_xml::Error,
    },
    /// A malformed attribute.
    #[error("the report has a malformed attribute: {found}")]
    Attribute {
        /// In the words of the parser.
        found: String,
    },
    /// Something that does not belong into a report.
    #[error("`{found}` does not belong here in a JUnit report")]
    Element {
        /// The element.
        found: String,
    },
    /// The end is missing.
    #[error("the report ends before its elements do")]
    Truncated,
    /// No test at all.
    #[error("it reports no test")]
    Nothing,
    /// More tests or failures announced than there are.
    #[error("the report announces {announced} {what} and holds {counted}")]
    Counters {
        /// `tests` or `failures`, errors among them.
        what: &'static str,
        /// What the suites say.
        announced: u64,
        /// What is there.
        counted: u64,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = r#"<testsuites><testsuite tests="3"><testcase classname="c" name="a"/><testcase name="b"><failure>x</failure></testcase><testcase name="s"><skipped/></testcase></testsuite></testsuites>"#;

    #[test]
    fn counts() {
        assert_eq!(
            read(GOOD.as_bytes()).unwrap(),
            TestRun { passed: 1, failed: vec!["b".to_owned()], skipped: 1 }
        );
    }

    #[test]
    fn nothing_passes_by_accident() {
        for (text, why) in [
            ("", "ends before"),
            ("<testsuite/>", "no test"),
            (&GOOD[..GOOD.len() - 5], "XML"),
            (&GOOD[..120], ""),
            ("<html><testcase/></html>", "does not belong"),
            ("<testsuite><testcase><failure/><testcase/></testcase></testsuite>", "does not belong"),
            ("<testsuite failures=\"1\"><testcase/></testsuite>", "announces 1 failures and holds 0"),
            (
                "<testsuites errors=\"1\"><testsuite><testcase/></testsuite></testsuites>",
                "announces 1 failures",
            ),
            ("<testsuites tests=\"7\"><testsuite><testcase/></testsuite></testsuites>", "announces 7 tests"),
            ("<testsuite tests=\"many\"><testcase/></testsuite>", "malformed"),
            ("<testsuite><testcase><x:failure/></testcase></testsuite>", "does not belong"),
            ("<testsuite><testcase/></testsuite>more", "does not belong"),
            (&GOOD.replace("tests=\"3\"", "tests=\"9\""), "announces 9"),
            (&format!("{GOOD}<testsuite><testcase/></testsuite>"), "does not belong"),
            (&format!("<!DOCTYPE x>{GOOD}"), "DOCTYPE"),
        ] {
            let error = read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
        let outside = "<testsuite><testcase name=\"a\"/><error>setup</error></testsuite>";
        assert_eq!(read(outside.as_bytes()).unwrap().failed.len(), 1);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
        }
    }
}
