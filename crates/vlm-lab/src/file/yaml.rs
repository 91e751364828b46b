//! YAML text to a JSON value, with the place of every key and value.
//!
//! The parser gives events; the tree is built here, because everything a person can be told about their file is lost once it
//! is a plain value: keys twice, several documents, where a value came from. Depth, anchors and size have limits, so that no
//! file makes us use more memory than it is worth.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Tag};
use serde_json::{Map, Number, Value};

use super::Place;
use crate::problems::path::{Path, Step};

/// How deep mappings and lists may lie in each other.
const MAX_DEPTH: usize = 64;
const TOO_DEEP: &str = "lists and mappings lie too deep in each other here; no lab needs that";
/// How many values anchors may add by being repeated.
const MAX_REPEATED: usize = 200_000;
/// How large a file may be.
const MAX_BYTES: usize = 16 << 20;

/// A document, and what was odd about its text.
pub(crate) struct Document {
    /// What it says. `Null` when it says nothing.
    pub value: Value,
    /// Where it says it.
    pub spot: Spot,
    /// What is wrong with the text, although it could be read.
    pub slips: Vec<Slip>,
}

/// Something wrong with the text at a place.
#[derive(Debug)]
pub(crate) struct Slip {
    pub place: Place,
    pub path: Path,
    pub message: String,
}

/// How plain words and unknown tags are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// A lab file: YAML 1.2, except for what Ansible and cloud-init read, which follow YAML 1.1.
    Lab,
    /// A file of Ansible's: YAML 1.1 throughout, tags are its own business.
    Ansible,
}

/// The place of a value, and of what lies in it. It has the shape of the value.
#[derive(Debug, Clone)]
pub(crate) struct Spot {
    pub place: Place,
    pub inside: Inside,
}

#[derive(Debug, Clone)]
pub(crate) enum Inside {
    Nothing,
    /// Each with its index in the file, which stays when others are taken out.
    List(Vec<(usize, Spot)>),
    /// Each with its key and the place of that. Few places are ever looked up: a list costs least to make.
    Map(Vec<(String, Place, Spot)>),
}

impl Spot {
    /// The place of `path`, or of the nearest thing above it that is there (then of its key), and the path as in the file.
    pub fn find(&self, path: &Path) -> (Place, Path) {
        let mut in_file = Path::default();
        let mut spot = self;
        let mut key = None;
        for (depth, step) in path.steps.iter().enumerate() {
            let next = match (&spot.inside, step) {
                (Inside::Map(entries), Step::Key(name)) => {
                    entries.iter().find(|(key, ..)| key == name).map(|(_, place, spot)| (Some(*place), step.clone(), spot))
                }
                (Inside::List(items), Step::Index(index)) => {
                    items.get(*index).map(|(index, spot)| (None, Step::Index(*index), spot))
                }
                _ => None,
            };
            let Some((key_place, step, next)) = next else {
                in_file.steps.extend(path.steps[depth..].iter().cloned());
                return (key.unwrap_or(spot.place), in_file);
            };
            in_file.steps.push(step);
            (spot, key) = (next, key_place);
        }
        (if path.on_key { key.unwrap_or(spot.place) } else { spot.place }, in_file)
    }
}

/// Reads the first document of `text`. `Err` when it is no YAML at all, or too much of it.
pub(crate) fn load(text: &str, reading: Reading) -> Result<Document, Slip> {
    let slip = |place, message: &str| Slip { place, path: Path::default(), message: message.to_owned() };
    if text.len() > MAX_BYTES {
        return Err(slip(Place { line: 1, column: 1 }, "the file is larger than 16 MiB; split it into several labs"));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut loader =
        Loader { reading, frames: Vec::new(), anchors: BTreeMap::new(), repeated: 0, slips: Vec::new(), root: None };
    let mut parser = Parser::new_from_str(text);
    let mut documents = 0;
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| explain(text, &error))?;
        let place = place(span.start);
        match event {
            Event::DocumentStart(_) => {
                documents += 1;
                if documents > 1 {
                    loader.slip(place, "a second document starts here; keep one lab per file");
                    break;
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                if loader.is_merge_key(&text, style) {
                    loader.merge_key(place);
                    continue;
                }
                let is_key = loader.wants_key();
                let plain = style == ScalarStyle::Plain;
                let value = match is_key {
                    true => Value::String(text.into_owned()),
                    false => loader.scalar(&text, plain, tag.as_deref(), place),
                };
                loader.add(value, Spot { place, inside: Inside::Nothing }, anchor)?;
            }
            Event::SequenceStart(anchor, tag) => {
                loader.open(place, anchor, tag.as_deref(), Collection::List(Vec::new(), Vec::new()))?
            }
            Event::MappingStart(anchor, tag) => {
                let map = OpenMap { fields: Map::new(), spots: Vec::new(), key: Key::Wanted, merges: Vec::new() };
                loader.open(place, anchor, tag.as_deref(), Collection::Map(map))?;
            }
            Event::SequenceEnd | Event::MappingEnd => loader.close()?,
            Event::Alias(id) => loader.alias(id, place)?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
    }
    let (value, spot) =
        loader.root.unwrap_or((Value::Null, Spot { place: Place { line: 1, column: 1 }, inside: Inside::Nothing }));
    Ok(Document { value, spot, slips: loader.slips })
}

/// Whether a reader of YAML 1.1 or 1.2 takes the plain word for something else than text.
pub(crate) fn reads_as_other(word: &str) -> bool {
    !plain(word, true).is_string() || !plain(word, false).is_string() || matches!(word, "y" | "Y" | "n" | "N")
}

struct Loader {
    reading: Reading,
    frames: Vec<Frame>,
    anchors: BTreeMap<usize, Anchor>,
    repeated: usize,
    slips: Vec<Slip>,
    root: Option<(Value, Spot)>,
}

#[derive(Clone)]
struct Anchor {
    value: Value,
    spot: Spot,
    /// How many mappings and lists lie in each other here.
    depth: usize,
}

struct Frame {
    place: Place,
    anchor: usize,
    /// Whether what lies in here is read by Ansible or cloud-init.
    for_tools: bool,
    collection: Collection,
}

enum Collection {
    List(Vec<Value>, Vec<Spot>),
    Map(OpenMap),
}

struct OpenMap {
    fields: Map<String, Value>,
    spots: Vec<(String, Place, Spot)>,
    key: Key,
    merges: Vec<(Value, Spot)>,
}

enum Key {
    Wanted,
    Is(String, Place),
    Merge(Place),
    /// What follows belongs to a key that was refused.
    Refused,
}

impl Loader {
    fn slip(&mut self, place: Place, message: impl Into<String>) {
        let path = Path { steps: self.path(), on_key: false };
        self.slips.push(Slip { place, path, message: message.into() });
    }

    fn path(&self) -> Vec<Step> {
        let step = |frame: &Frame| match &frame.collection {
            Collection::List(items, _) => Some(Step::Index(items.len())),
            Collection::Map(OpenMap { key: Key::Is(name, _), .. }) => Some(Step::Key(name.clone())),
            Collection::Map(_) => None,
        };
        self.frames.iter().filter_map(step).collect()
    }

    fn wants_key(&self) -> bool {
        matches!(self.frames.last(), Some(Frame { collection: Collection::Map(OpenMap { key: Key::Wanted, .. }), .. }))
    }

    fn is_merge_key(&self, text: &str, style: ScalarStyle) -> bool {
        text == "<<" && style == ScalarStyle::Plain && self.wants_key()
    }

    fn merge_key(&mut self, place: Place) {
        if let Some(Frame { collection: Collection::Map(map), .. }) = self.frames.last_mut() {
            map.key = Key::Merge(place);
        }
    }

    /// Whether the value that comes next is read by Ansible or cloud-init in the end.
    fn for_tools(&self) -> bool {
        fn key(frame: &Frame) -> &str {
            match &frame.collection {
                Collection::Map(OpenMap { key: Key::Is(name, _), .. }) => name,
                _ => "",
            }
        }
        match &self.frames[..] {
            _ if self.reading == Reading::Ansible => true,
            [.., last] if last.for_tools => true,
            [root, _, machine] => key(root) == "machines" && matches!(key(machine), "ansible" | "cloud_config"),
            _ => false,
        }
    }

    fn scalar(&mut self, text: &str, is_plain: bool, tag: Option<&Tag>, place: Place) -> Value {
        match tag {
            Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => Value::String(text.to_owned()),
            Some(tag) => {
                self.refuse_tag(tag, place);
                if is_plain { plain(text, self.for_tools()) } else { Value::String(text.to_owned()) }
            }
            None if is_plain => plain(text, self.for_tools()),
            None => Value::String(text.to_owned()),
        }
    }

    fn refuse_tag(&mut self, tag: &Tag, place: Place) {
        let known = ["int", "bool", "float", "null", "map", "seq"];
        let harmless = tag.handle.is_empty() && tag.suffix == "!" || tag.is_yaml_core_schema() && known.contains(&&*tag.suffix);
        if self.reading == Reading::Lab && !harmless {
            let name =
                if tag.is_yaml_core_schema() { format!("!!{}", tag.suffix) } else { format!("{}{}", tag.handle, tag.suffix) };
            self.slip(
                place,
                format!(
                    "the tag `{name}` has no meaning in a lab file; leave it out, or put what needs it into a playbook file"
                ),
            );
        }
    }

    fn open(&mut self, place: Place, anchor: usize, tag: Option<&Tag>, collection: Collection) -> Result<(), Slip> {
        if let Some(tag) = tag {
            self.refuse_tag(tag, place);
        }
        self.refuse_depth(1, place)?;
        let for_tools = self.for_tools();
        self.frames.push(Frame { place, anchor, for_tools, collection });
        Ok(())
    }

    /// Refuses what would lie too deep with `depth` more mappings and lists in those that are open.
    fn refuse_depth(&self, depth: usize, place: Place) -> Result<(), Slip> {
        if self.frames.len() + depth > MAX_DEPTH {
            return Err(Slip { place, path: Path::default(), message: TOO_DEEP.to_owned() });
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Slip> {
        let Some(Frame { place, anchor, collection, .. }) = self.frames.pop() else { return Ok(()) };
        let (value, inside) = match collection {
            Collection::List(items, spots) => (Value::Array(items), Inside::List(spots.into_iter().enumerate().collect())),
            Collection::Map(map) => map.finish(),
        };
        self.add(value, Spot { place, inside }, anchor)
    }

    fn alias(&mut self, id: usize, place: Place) -> Result<(), Slip> {
        let Some(Anchor { value, spot, depth }) = self.anchors.get(&id).cloned() else {
            self.slip(place, "the alias refers to an anchor that it lies in itself; leave it out");
            return self.add(Value::Null, Spot { place, inside: Inside::Nothing }, 0);
        };
        self.refuse_depth(depth, place)?;
        self.count(&value, place)?;
        self.add(value, spot, 0)
    }

    fn count(&mut self, value: &Value, place: Place) -> Result<(), Slip> {
        fn values(value: &Value) -> usize {
            match value {
                Value::Array(items) => 1 + items.iter().map(values).sum::<usize>(),
                Value::Object(fields) => 1 + fields.values().map(values).sum::<usize>(),
                _ => 1,
            }
        }
        self.repeated += values(value);
        if self.repeated > MAX_REPEATED {
            let message = "anchors repeat too much here; write out what the lab needs, or use `replicas`".to_owned();
            return Err(Slip { place, path: Path::default(), message });
        }
        Ok(())
    }

    fn add(&mut self, value: Value, spot: Spot, anchor: usize) -> Result<(), Slip> {
        if anchor > 0 {
            self.count(&value, spot.place)?;
            let depth = depth(&value);
            self.anchors.insert(anchor, Anchor { value: value.clone(), spot: spot.clone(), depth });
        }
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some((value, spot));
            return Ok(());
        };
        let map = match &mut frame.collection {
            Collection::List(items, spots) => {
                items.push(value);
                spots.push(spot);
                return Ok(());
            }
            Collection::Map(map) => map,
        };
        match std::mem::replace(&mut map.key, Key::Wanted) {
            Key::Refused => {}
            Key::Wanted => match value {
                Value::String(name) => map.key = Key::Is(name, spot.place),
                _ => {
                    map.key = Key::Refused;
                    let braces = value.as_object().is_some_and(|fields| fields.len() <= 1);
                    self.slip(
                        spot.place,
                        if braces {
                            "a mapping cannot be the key of another; put text that starts with `{` in quotes"
                        } else {
                            "only text can be a key; put it in quotes"
                        },
                    );
                }
            },
            Key::Is(name, place) => match map.fields.contains_key(&name) {
                true => {
                    let first = map.spots.iter().find(|(key, ..)| *key == name).map_or(place, |(_, first, _)| *first);
                    let message = format!("`{name}` is here twice, first in line {}; keep one", first.line);
                    let mut steps = self.path();
                    steps.push(Step::Key(name));
                    self.slips.push(Slip { place, path: Path { steps, on_key: true }, message });
                }
                false => {
                    map.spots.push((name.clone(), place, spot));
                    map.fields.insert(name, value);
                }
            },
            Key::Merge(place) => {
                let parts = match (value, spot.inside) {
                    (Value::Array(items), Inside::List(spots)) => {
                        items.into_iter().zip(spots.into_iter().map(|(_, spot)| spot)).collect()
                    }
                    (value, inside) => vec![(value, Spot { place: spot.place, inside })],
                };
                if parts.iter().any(|(value, _)| !value.is_object()) {
                    self.slip(place, "`<<` takes a mapping, or a list of mappings, such as `<<: *base`");
                } else {
                    map.merges.extend(parts);
                }
            }
        }
        Ok(())
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

impl OpenMap {
    /// What the mapping says itself wins over what it merges in; of several merged, the first.
    fn finish(self) -> (Value, Inside) {
        let OpenMap { mut fields, mut spots, merges, .. } = self;
        for (value, spot) in merges {
            let (Value::Object(mut more), Inside::Map(more_spots)) = (value, spot.inside) else { continue };
            for (name, place, spot) in more_spots {
                if let (false, Some(value)) = (fields.contains_key(&name), more.shift_remove(&name)) {
                    spots.push((name.clone(), place, spot));
                    fields.insert(name, value);
                }
            }
        }
        (Value::Object(fields), Inside::Map(spots))
    }
}

/// What a word without quotes means: by YAML 1.2's core schema, or by YAML 1.1 as Ansible and cloud-init read it.
///
/// `0644` stays text: in 1.1 it is 420, in 1.2 it is 644, and whoever writes it means a file's mode. So do numbers that
/// JSON cannot hold.
fn plain(word: &str, yaml_1_1: bool) -> Value {
    match word {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" if yaml_1_1 => return Value::Bool(true),
        "no" | "No" | "NO" | "off" | "Off" | "OFF" if yaml_1_1 => return Value::Bool(false),
        _ => {}
    }
    number(word, yaml_1_1).map_or_else(|| Value::String(word.to_owned()), Value::Number)
}

fn number(word: &str, yaml_1_1: bool) -> Option<Number> {
    let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if let Some(hex) = word.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok().filter(|_| !hex.starts_with('+')).map(Number::from);
    }
    let has_leading_zero = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
    if has_leading_zero || !digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-')) {
        return None;
    }
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        let word = word.strip_prefix('+').unwrap_or(word);
        return word.parse::<u64>().map(Number::from).or_else(|_| word.parse::<i64>().map(Number::from)).ok();
    }
    let has_signed_exponent = || digits.split_once(['e', 'E']).is_none_or(|(_, exponent)| exponent.starts_with(['-', '+']));
    if yaml_1_1 && !(digits.contains('.') && has_signed_exponent()) {
        return None;
    }
    word.parse::<f64>().ok().filter(|number| number.is_finite()).and_then(Number::from_f64)
}

fn place(marker: Marker) -> Place {
    Place { line: marker.line().max(1) as u32, column: marker.col() as u32 + 1 }
}

/// What stopped the parser, in words. Its own say where it was in the grammar, which helps nobody who writes a lab.
fn explain(text: &str, error: &ScanError) -> Slip {
    let mut place = place(*error.marker());
    let line = text.lines().nth(place.line as usize - 1).unwrap_or_default();
    let has = |part: &str| error.info().contains(part);
    let indented_by_tab = |line: &str| line.trim_start_matches(' ').starts_with('\t');
    let is_at_end = text.chars().skip(error.marker().index()).all(char::is_whitespace);
    let message = if has("recursion") {
        TOO_DEEP
    } else if indented_by_tab(line) || has("tab") {
        // The parser may have stopped before it.
        if let Some((line, indented)) =
            (place.line..).zip(text.lines().skip(place.line as usize - 1)).find(|(_, line)| indented_by_tab(line))
        {
            place = Place { line, column: indented.find('\t').unwrap_or(0) as u32 + 1 };
        }
        "a tab is used for indentation; YAML wants spaces"
    } else if has("quoted scalar") || has("double-quoted") {
        "the quoted text is not closed, or has an escape that YAML does not know; check its quotes and backslashes"
    } else if has("unknown anchor") {
        "the alias refers to an anchor that is not above it; write `&NAME` before the value to repeat"
    } else if is_at_end {
        "the file ends while something is still open; check brackets, braces and quotes"
    } else if has("flow") || has("bracket") {
        "a `[` or `{` is not closed as it should be; check brackets, braces and commas"
    } else if has("mapping values are not allowed") || has("':'") {
        "a colon is where no key can be; check the indentation and the brackets above it, and put text with `: ` in it in quotes"
    } else if has("unprintable") || line.contains('\0') {
        "there is a character that a text file cannot have; remove it"
    } else if has("tag") || has("TAG") || has("directive") {
        "the tag or directive cannot be read; put text that starts with `!` or `%` in quotes"
    } else if has("unexpected character") || has("plain scalar") || has("node content") {
        "no value can start so; put text with special characters in quotes"
    } else {
        "the structure cannot be read here; check the indentation of this line and of those above it"
    };
    Slip { place, path: Path::default(), message: message.to_owned() }
}
