//! How deep TOML is nested. The parser counts what it understands; where it goes on behind an error it does not, and a
//! small file could use up the stack. So brackets are counted before it sees them.

/// Deeper than any file of people or tools.
const MAX_DEPTH: usize = 64;

/// The place of the first bracket that is nested too deep, in bytes.
pub fn too_deep(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'#' => at += line(&bytes[at..]),
            b'"' | b'\'' => {
                at += string(&bytes[at..], *byte);
                continue;
            }
            b'[' | b'{' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Some(at);
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The bytes before the end of the line.
fn line(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len())
}

/// The bytes of a string with its quotes; one that is not closed ends with its line, or with the file.
fn string(bytes: &[u8], quote: u8) -> usize {
    let long = bytes.get(..3).is_some_and(|start| start.iter().all(|byte| *byte == quote));
    let width = if long { 3 } else { 1 };
    let mut at = width;
    while let Some(byte) = bytes.get(at) {
        let closes = bytes.get(at..at + width).is_some_and(|end| end.iter().all(|byte| *byte == quote));
        match byte {
            b'\\' if quote == b'"' => at += 2,
            b'\n' if !long => return at,
            _ if closes => return at + width,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_count_outside_of_strings_and_comments() {
        let deep = "[".repeat(65);
        assert_eq!(too_deep(&format!("x = {deep}")), Some(4 + 64));
        assert_eq!(too_deep(&format!("x = {}", "[{a=".repeat(40))), Some(4 + 4 * 32));
        for text in [
            format!("x = {}", &deep[1..]),
            format!("x = \"{deep}\""),
            format!("x = '{deep}'"),
            format!("x = \"\"\"\n\\\"\"\" {deep}\n\"\"\""),
            format!("x = '''\n' {deep}\n'''"),
            format!("# {deep}\nx = 1"),
            "[a]\n[b]\nx = [1, { y = [] }]\n".repeat(100),
            format!("x = \"{deep}"),
            String::new(),
        ] {
            assert_eq!(too_deep(&text), None, "{text}");
        }
        assert_eq!(too_deep(&format!("x = \"open\n{deep}")), Some(10 + 64));
    }
}
