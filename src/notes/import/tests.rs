//! Whole files, and that our own reader takes what was made of them.

use proptest::prelude::*;

use super::*;
use crate::config::Config;

fn made(text: &str) -> (String, Vec<String>) {
    let cliff = Cliff::parse(text.as_bytes(), "cliff.toml").unwrap();
    let imported = import(&cliff, "cliff.toml");
    let told = imported.findings.iter().map(|finding| {
        let severity = format!("{:?}", finding.severity).to_lowercase();
        format!("{} {severity} {}", finding.line.unwrap(), finding.code)
    });
    Config::load(format!("name: app\n{}", imported.yaml).as_bytes(), "release.yaml").unwrap();
    (imported.yaml.clone(), told.collect())
}

#[test]
fn a_file_as_people_have_it() {
    let (yaml, told) = made(
        r##"[changelog]
header = ""
body = """
{% for group, commits in commits | group_by(attribute="group") %}
{% endfor %}
"""
trim = true

[git]
conventional_commits = true
filter_unconventional = true
commit_preprocessors = [
  { pattern = '\((\w+\s)?#([0-9]+)\)', replace = "" },
]
commit_parsers = [
  { message = "^feat", group = "<!-- 0 -->🚀 Features" },
  { message = "^fix", group = "<!-- 1 -->🐛 Bug Fixes" },
  { message = "^doc", group = "<!-- 3 -->📚 Documentation" },
  { message = "^chore\\(release\\): prepare for", skip = true },
  { message = "^chore|^ci", group = "<!-- 7 -->⚙️ Miscellaneous Tasks" },
  { body = ".*security", group = "<!-- 8 -->🛡️ Security" },
  { message = ".*deprecated", group = "Old" },
  { sha = "b53ef22a9bfbf2f3bd6cbc0a3a2cb1d4d6d6d3d7", skip = true },
  { footer = "^changelog: ?ignore", skip = true },
  { field = "author.name", pattern = "renovate", group = "Renovate" },
]
filter_commits = false
tag_pattern = "v[0-9].*"
skip_tags = "beta"
sort_commits = "oldest"
link_parsers = [
  { pattern = "#(\\d+)", href = "https://github.com/o/r/issues/$1" },
  { pattern = "RFC(\\d+)", href = "https://datatracker.ietf.org/doc/html/rfc$1" },
]

[bump]
features_always_bump_minor = false
"##,
    );
    assert_eq!(
        yaml,
        "tag: \"v{version}\"\n\
         notes:\n  \
         sections:\n    \
         - \"🚀 Features\"\n    \
         - \"🐛 Bug Fixes\"\n    \
         - \"📚 Documentation\"\n    \
         - \"⚙️ Miscellaneous Tasks\"\n  \
         types:\n    \
         \"chore\": \"⚙️ Miscellaneous Tasks\"\n    \
         \"chore(release)\": \"hidden\"\n    \
         \"ci\": \"⚙️ Miscellaneous Tasks\"\n    \
         \"doc\": \"📚 Documentation\"\n    \
         \"docs\": \"📚 Documentation\"\n    \
         \"documentation\": \"📚 Documentation\"\n    \
         \"feat\": \"🚀 Features\"\n    \
         \"feature\": \"🚀 Features\"\n    \
         \"fix\": \"🐛 Bug Fixes\"\n    \
         \"untyped\": \"hidden\"\n  \
         ignore:\n    \
         - \"b53ef22a9bfbf2f3bd6cbc0a3a2cb1d4d6d6d3d7\"\n  \
         skip: \"changelog: ignore\"\n  \
         initial_bump:\n    \
         feat: patch\n  \
         references:\n    \
         - pattern: \"RFC(\\\\d+)\"\n      \
         url: \"https://datatracker.ietf.org/doc/html/rfc{id}\"\n"
    );
    assert_eq!(
        told,
        [
            "3 warning import-setting",
            "13 warning import-replacement",
            "19 note import-wider",
            "21 warning import-parser",
            "22 warning import-pattern",
            "25 warning import-parser",
            "29 note import-setting",
            "30 note import-setting",
            "32 note import-link",
        ]
    );
}

#[test]
fn what_no_parser_takes() {
    let (yaml, told) = made(
        "[git]\nfilter_commits = true\ncommit_parsers = [{ message = '^feat:', group = 'New' }, { message = '.*', group = 'Other' }]\n",
    );
    assert!(yaml.contains("\"feat\": \"New\"") && yaml.contains("\"style\": \"Other\""), "{yaml}");
    assert!(yaml.contains("\"security\": \"hidden\"") && yaml.contains("\"other\": \"Other\""), "{yaml}");
    for (filter, expected) in [("true", Some("hidden")), ("false", Some("Other")), ("x", None)] {
        let filter =
            if filter == "x" { String::new() } else { format!("filter_unconventional = {filter}\n") };
        let (yaml, _) =
            made(&format!("[git]\n{filter}commit_parsers = [{{ message = '.*', group = 'Other' }}]\n"));
        let line = yaml.lines().find_map(|line| line.trim().strip_prefix("\"untyped\": "));
        assert_eq!(line.map(|text| text.trim_matches('"')), expected, "{yaml}");
    }
    assert_eq!(told, ["3 note import-everything"]);
    assert_eq!(made("").0, "notes: {}\n");
    let (yaml, told) =
        made("[git]\ncommit_parsers = [{ message = '^feat' }, { message = '^x', group = '<!-- 1 -->' }]\n");
    assert_eq!((yaml.as_str(), told.len()), ("notes: {}\n", 2));
}

proptest! {
    /// Whatever a file says, our own reader takes what is made of it.
    #[test]
    fn what_is_made_can_be_read(
        group in "[ -~\u{e9}]{0,100}",
        pattern in "\\^(feat|fix|docs?)[a-z()|\\\\:.*?!-]{0,12}|[ -~]{0,16}",
        tag in "[v\\^a-z0-9/@.*\\[\\]-]{0,12}",
        footer in "[a-zA-Z: ?-]{0,20}",
        link in "[A-Z#(\\\\d+)\\[\\]*]{0,12}",
        href in "https://x/[a-z$1{} ]{0,12}|[ -~]{0,12}",
    ) {
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let file = format!(
            "[git]\ntag_pattern = {}\ncommit_parsers = [{{ message = {}, group = {} }}, {{ footer = {}, skip = true }}]\nlink_parsers = [{{ pattern = {}, href = {} }}]\n",
            text(&tag), text(&pattern), text(&group), text(&footer), text(&link), text(&href)
        );
        if let Ok(cliff) = Cliff::parse(file.as_bytes(), "cliff.toml") {
            let imported = import(&cliff, "cliff.toml");
            let yaml = format!("name: app\n{}", imported.yaml);
            let config = Config::load(yaml.as_bytes(), "release.yaml");
            prop_assert!(config.is_ok(), "{:?}\n{}", config.err().map(|error| error.to_string()), yaml);
        }
    }
}
