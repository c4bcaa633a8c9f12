//! Workflow commands of GitHub Actions: findings as annotations.

use crate::diag::{Diagnostic, Severity};

/// One finding as a line. Whatever a message or a path holds, it stays one command.
pub fn annotation(diagnostic: &Diagnostic) -> String {
    let Diagnostic { code, severity, message, path, line, column, hint } = diagnostic;
    let word = match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let mut properties = Vec::new();
    if let Some(path) = path {
        properties.push(format!("file={}", property(path)));
        properties.extend(line.map(|line| format!("line={line}")));
        properties.extend(column.map(|column| format!("col={column}")));
    }
    properties.push(format!("title={}", property(code)));
    let text = match hint {
        Some(hint) => format!("{message}\n{hint}"),
        None => message.clone(),
    };
    format!("::{word} {}::{}\n", properties.join(","), data(&text))
}

/// The text of a command: `%` and line ends would end it or begin another.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property: `:` and `,` would end it as well.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_stays_one_command() {
        let mut finding =
            Diagnostic::new(Severity::Error, "a-b", "100% wrong\r\n::set-output name=x::y").at("a,b:c\n.txt");
        finding.line = Some(3);
        finding.column = Some(7);
        assert_eq!(
            annotation(&finding.clone().hinted("do: this")),
            "::error file=a%2Cb%3Ac%0A.txt,line=3,col=7,title=a-b::100%25 wrong%0D%0A::set-output name=x::y%0Ado: this\n"
        );
        let plain = Diagnostic::new(Severity::Note, "c", "m");
        assert_eq!(annotation(&plain), "::notice title=c::m\n");
        finding.severity = Severity::Warning;
        assert!(annotation(&finding).starts_with("::warning "));
    }
}
