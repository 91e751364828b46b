//! What a tool said when it failed, made into a card: what is the cause, what shows it, what to do.
//!
//! A pure function over a table (`known.rs`). It claims nothing that the words do not show: what no row of the table knows is
//! [`UNKNOWN`], with the tool's own words. `tests/failures.rs` holds the table against recorded outputs and docs/failures.md.

mod known;

pub use known::KNOWN;

/// The id of a failure that no row of the table knows.
pub const UNKNOWN: &str = "unknown";
/// How many lines of what a tool said a card shows.
const EVIDENCE_LINES: usize = 12;
/// How much of one line it shows, in characters.
const EVIDENCE_LINE: usize = 600;

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tool {
    /// Terraform or OpenTofu, the provider, and what these pass on of libvirt and QEMU.
    Terraform,
    /// libvirt, asked by us, and what it passes on of QEMU.
    Libvirt,
    /// Ansible, and what it passes on of SSH and of programs in the guest.
    Ansible,
    /// cloud-init in a guest, by its result and the guest's console.
    CloudInit,
    /// A guest's serial console: firmware, boot loader, kernel, init.
    Console,
}

impl Tool {
    /// Its name in a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Tool::Terraform => "Terraform",
            Tool::Libvirt => "libvirt",
            Tool::Ansible => "Ansible",
            Tool::CloudInit => "cloud-init",
            Tool::Console => "the guest's console",
        }
    }
}

/// A failure that is known by its words.
pub struct Known {
    /// Its name in the documentation.
    pub id: &'static str,
    /// Who says so.
    pub tools: &'static [Tool],
    /// The words, within one line: text as it is, with `{name}` for what differs. Any of them will do; the first names all that
    /// cause and remedy use.
    pub words: &'static [&'static str],
    /// The cause, as a clause, with `{name}` for what the words named.
    pub cause: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

/// What people are told about a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// Which failure of the table it is, or [`UNKNOWN`].
    pub id: &'static str,
    /// The cause, as a clause.
    pub cause: String,
    /// What to do.
    pub remedy: String,
    /// The tool's own words that show it.
    pub evidence: String,
}

impl Card {
    /// Whether the cause is known.
    pub fn is_known(&self) -> bool {
        self.id != UNKNOWN
    }
}

/// What `text`, which `tool` said, is about. Of several failures in it, the one that stands first in the table: it goes from the
/// particular to the general.
pub fn card(tool: Tool, text: &str) -> Card {
    let text = text.replace('\r', "");
    let printed: Vec<Line> = text.lines().map(|line| Line { plain: plain(line), raw: line.to_owned() }).collect();
    // Terraform breaks its lines at blanks: what stands together is looked at as one line as well.
    let paragraphs = printed.split(|line| line.plain.is_empty());
    let joined: Vec<Line> = paragraphs
        .map(|lines| lines.iter().map(|line| line.plain.as_str()).collect::<Vec<_>>().join(" "))
        .map(|plain| Line { raw: plain.clone(), plain })
        .collect();
    for known in KNOWN.iter().filter(|known| known.tools.contains(&tool)) {
        for (words, lines) in known.words.iter().flat_map(|words| [(words, &printed), (words, &joined)]) {
            let Some(names) = lines.iter().find_map(|line| captures(words, &line.plain)) else { continue };
            let shows = |line: &&Line| known.words.iter().any(|words| captures(words, &line.plain).is_some());
            return Card {
                id: known.id,
                cause: fill(known.cause, &names),
                remedy: fill(known.remedy, &names),
                evidence: bounded(lines.iter().filter(shows)),
            };
        }
    }
    let said: Vec<&Line> = printed.iter().filter(|line| !line.plain.is_empty()).collect();
    Card {
        id: UNKNOWN,
        cause: format!("{} does not say more than it printed", tool.name()),
        remedy: format!("vlm does not know this failure; the words are {}'s own", tool.name()),
        evidence: bounded(said[said.len().saturating_sub(EVIDENCE_LINES)..].iter().copied()),
    }
}

struct Line {
    plain: String,
    raw: String,
}

/// A line without what tools put around words: frames, colours, doubled blanks.
fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => {
                // A control sequence (ECMA-48) ends with one of these.
                let _ = chars.by_ref().skip(1).find(|c| ('@'..='~').contains(c));
            }
            '╷' | '│' | '╵' => {}
            c => text.push(c),
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What stands in `line` for the names of `words`, if it has them; each as short as it can be. A name that begins the words is
/// one word.
fn captures<'a>(words: &'a str, line: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
    let begin = words.split('{').next().unwrap_or_default();
    // The beginning may stand there more than once, as a quote does.
    line.match_indices(begin).find_map(|(at, _)| captures_at(words, &line[at..]))
}

/// What stands in `line` for the names of `words`, which it begins with.
fn captures_at<'a>(words: &'a str, line: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
    let mut parts = words.split('{');
    let mut before = parts.next().unwrap_or_default();
    let mut rest = line.strip_prefix(before)?;
    let mut names = Vec::new();
    for part in parts {
        let (name, literal) = part.split_once('}').expect("a test reads all words");
        let end = if literal.is_empty() { rest.len() } else { rest.find(literal)? };
        let mut value = &rest[..end];
        if before.is_empty() && names.is_empty() {
            value = value.rsplit(' ').next().unwrap_or(value);
        }
        // What stands in quotes ends with the next one.
        if value.is_empty() || before.ends_with('\'') && value.contains('\'') {
            return None;
        }
        names.push((name, trimmed(value)));
        rest = &rest[end + literal.len()..];
        before = literal;
    }
    Some(names)
}

/// Without the full stop of its sentence, and without brackets that were opened before it.
fn trimmed(mut value: &str) -> &str {
    while value.len() > 1
        && (value.ends_with(['.', ',']) || value.ends_with(')') && value.matches(')').count() > value.matches('(').count())
    {
        value = &value[..value.len() - 1];
    }
    value
}

fn fill(text: &str, names: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (name, value) in names {
        text = text.replace(&format!("{{{name}}}"), &shortened(value, 120));
    }
    text
}

fn bounded<'a>(lines: impl Iterator<Item = &'a Line>) -> String {
    let mut shown: Vec<String> = Vec::new();
    for line in lines.map(|line| shortened(line.raw.trim(), EVIDENCE_LINE)) {
        if !shown.contains(&line) && shown.len() < EVIDENCE_LINES {
            shown.push(line);
        }
    }
    shown.join("\n")
}

fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{} …", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_can_be_filled() {
        for (index, known) in KNOWN.iter().enumerate() {
            assert!(KNOWN[..index].iter().all(|other| other.id != known.id), "two rows are called {}", known.id);
            assert!(!known.tools.is_empty() && !known.words.is_empty(), "{}", known.id);
            for words in known.words {
                // Each row knows its own words, and has all names that it uses.
                let example = words.replace('{', "<").replace('}', ">");
                let names = captures(words, &example).unwrap_or_else(|| panic!("{}: {words}", known.id));
                for text in [known.cause, known.remedy] {
                    let left = fill(text, &names).split('{').skip(1).any(|part| {
                        part.split_once('}')
                            .is_some_and(|(name, _)| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase()))
                    });
                    assert!(!left, "{}: `{words}` does not name all of `{text}`", known.id);
                }
            }
        }
    }

    #[test]
    fn words_are_found_within_a_line() {
        assert_eq!(captures("pool '{pool}' is", "error: pool 'vlm' is not active"), Some(vec![("pool", "vlm")]));
        assert_eq!(captures("'{name}' is un", "in 'msg': 'greeting' is undefined"), Some(vec![("name", "greeting")]));
        assert_eq!(captures("at {path}", "is not at /a/b."), Some(vec![("path", "/a/b")]));
        assert_eq!(captures("{who}: Permission", "over ssh: ada@h: Permission denied"), Some(vec![("who", "ada@h")]));
        assert_eq!(captures("('{module}', {why}", "('x', E('y (z)'))"), Some(vec![("module", "x"), ("why", "E('y (z)')")]));
        assert_eq!(captures("pool '{pool}' is", "pool '' is"), None);
        assert_eq!(captures("pool '{pool}' is", "pool 'vlm' was"), None);
        assert_eq!(plain("\u{1b}[31m│ \u{1b}[0m  Error:   x"), "Error: x");
    }

    #[test]
    fn what_nobody_knows_is_said_to_be_unknown() {
        let text = (0..100).map(|line| format!("line {line} {}\n", "x".repeat(1000))).collect::<String>();
        let card = card(Tool::Ansible, &text);
        assert!(!card.is_known());
        assert_eq!(card.evidence.lines().count(), EVIDENCE_LINES);
        assert!(card.evidence.lines().all(|line| line.chars().count() <= EVIDENCE_LINE + 2));
        assert!(card.evidence.starts_with("line 88 "));
        assert_eq!(super::card(Tool::Terraform, "").evidence, "");
    }
}
