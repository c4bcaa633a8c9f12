//! Shortening: a release in at most so many bytes, never cut inside a line.

use super::entry::{Entry, Section};
use super::fault::RenderError;
use super::line::in_a_line;
use super::release::ReleaseNotes;
use super::view::LeftOut;
use crate::format::release_manifest::MAX_BODY_BYTES;

/// The most bytes of a release page that leaves room for the marker of a publication; GitHub takes 125,000 characters,
/// and bytes are never fewer.
pub const BODY: usize = MAX_BODY_BYTES as usize - 256;

/// A text that fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fitted {
    /// The text.
    pub text: String,
    /// What was done to it, in order; empty when it fits as it is.
    pub steps: Vec<Step>,
    /// How many lines are elsewhere.
    pub left_out: usize,
}

/// One step of shortening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Lines that are longer than anybody reads are told with their beginning.
    Texts,
    /// Contributors are not named.
    Contributors,
    /// What breaks is told in a line each.
    Details,
    /// Sections of little weight are told with fewer lines and a count.
    Counts,
    /// Lines of features, of holes that were closed, or of what breaks are elsewhere as well.
    Lines,
}

impl Step {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Texts => "texts",
            Self::Contributors => "contributors",
            Self::Details => "details",
            Self::Counts => "counts",
            Self::Lines => "lines",
        }
    }
}

/// What stays longest has the highest number. Lines that break something have 5.
fn weight(section: &Section) -> u8 {
    match section {
        Section::Named(_) | Section::Changed => 0,
        Section::Removed => 1,
        Section::Deprecated => 2,
        Section::Fixed => 3,
        Section::Added => 4,
        Section::Security => 6,
    }
}

/// The weight of lines that break something.
const BREAKING: u8 = 5;

/// Writes a release with some lines left out.
pub(super) type Write<'a> = dyn Fn(&ReleaseNotes, &LeftOut) -> Result<String, RenderError> + 'a;

/// Lines of great length are shortened first; then contributors go, then what stands below the lines that break
/// something, then lines from the end of their section, sections of the least weight first; each section tells how many
/// lines are elsewhere. What breaks and what closes holes stays longest.
pub(super) fn fit(notes: &ReleaseNotes, limit: usize, write: &Write<'_>) -> Result<Fitted, RenderError> {
    let whole = write(notes, &LeftOut::default())?;
    if whole.len() <= limit {
        return Ok(Fitted { text: whole, steps: Vec::new(), left_out: 0 });
    }
    let mut notes = notes.clone();
    let (mut steps, mut shortest) = (Vec::new(), whole.len());
    if shorten(&mut notes) {
        steps.push(Step::Texts);
        let text = write(&notes, &LeftOut::default())?;
        shortest = text.len();
        if text.len() <= limit {
            return Ok(Fitted { text, steps, left_out: 0 });
        }
    }
    if !notes.contributors.is_empty() {
        notes.contributors.clear();
        steps.push(Step::Contributors);
        let text = write(&notes, &LeftOut::default())?;
        shortest = text.len();
        if text.len() <= limit {
            return Ok(Fitted { text, steps, left_out: 0 });
        }
    }
    let mut cut = false;
    for note in notes.breaking.iter_mut().flat_map(|entry| &mut entry.breaking) {
        if let Some(short) = in_a_line(note) {
            (*note, cut) = (short, true);
        }
    }
    if cut {
        let text = write(&notes, &LeftOut::default())?;
        // A changelog has one line in any case.
        steps.extend((text.len() < shortest).then_some(Step::Details));
        if text.len() <= limit {
            return Ok(Fitted { text, steps, left_out: 0 });
        }
    }
    let lines = notes.sections.iter().map(|(_, entries)| entries.len()).sum::<usize>() + notes.breaking.len();
    let try_out = |count: usize| {
        let (short, left_out) = without(&notes, count);
        Ok::<_, RenderError>((write(&short, &left_out)?, left_out))
    };
    // The text gets shorter with the lines that go: about the fewest that will do.
    let (mut low, mut high) = (1, lines);
    while low < high {
        let middle = usize::midpoint(low, high);
        if try_out(middle)?.0.len() <= limit { high = middle } else { low = middle + 1 }
    }
    let mut count = low.min(lines);
    loop {
        let (text, left_out) = try_out(count)?;
        if text.len() <= limit {
            let heavy = |(section, _): &(Section, usize)| weight(section) >= weight(&Section::Added);
            let heavy = left_out.breaking > 0 || left_out.sections.iter().any(heavy);
            steps.push(Step::Counts);
            steps.extend(heavy.then_some(Step::Lines));
            return Ok(Fitted { text, steps, left_out: left_out.total() });
        }
        // A count that appears may be longer than the line it stands for.
        count += 1;
        if count > lines {
            return Err(RenderError::TooLong { limit, found: text.len() });
        }
    }
}

/// The longest text of a line that is told whole where room is short.
const LONG: usize = 400;

/// Shortens what is longer in a line, and tells whether anything was.
fn shorten(notes: &mut ReleaseNotes) -> bool {
    let mut cut = false;
    let mut short = |text: &mut String| {
        if text.len() > LONG {
            (*text, cut) = (beginning(text), true);
        }
    };
    for (_, entries) in &mut notes.sections {
        entries.iter_mut().for_each(|entry| parts(entry, &mut short));
    }
    for entry in &mut notes.breaking {
        parts(entry, &mut short);
        // What stands below the first lines goes by itself.
        entry.breaking.iter_mut().filter(|note| in_a_line(note).is_none()).for_each(&mut short);
    }
    cut
}

/// What stands in the line of an entry.
fn parts(entry: &mut Entry, short: &mut impl FnMut(&mut String)) {
    short(&mut entry.kind);
    short(&mut entry.description);
    if entry.scopes.iter().map(String::len).sum::<usize>() > LONG {
        let mut all = entry.scopes.join(", ");
        short(&mut all);
        entry.scopes = vec![all];
    }
}

/// The words of a text that fit, and a mark that there are more.
fn beginning(text: &str) -> String {
    let end = text.floor_char_boundary(LONG);
    let end = text[..end].rfind(char::is_whitespace).filter(|at| *at > LONG / 2).unwrap_or(end);
    format!("{} …", text[..end].trim_end())
}

/// The release without `count` lines.
fn without(notes: &ReleaseNotes, count: usize) -> (ReleaseNotes, LeftOut) {
    let mut short = notes.clone();
    let mut order: Vec<(u8, Option<usize>)> =
        short.sections.iter().enumerate().map(|(at, (section, _))| (weight(section), Some(at))).collect();
    order.push((BREAKING, None));
    order.sort_by_key(|(weight, _)| *weight);
    let mut left_out = LeftOut::default();
    let mut left = count;
    for (_, at) in order {
        let entries = match at {
            Some(at) => &mut short.sections[at].1,
            None => &mut short.breaking,
        };
        let gone = left.min(entries.len());
        entries.truncate(entries.len() - gone);
        left -= gone;
        match at {
            Some(at) if gone > 0 => left_out.sections.push((short.sections[at].0.clone(), gone)),
            Some(_) => {}
            None => left_out.breaking = gone,
        }
    }
    (short, left_out)
}
