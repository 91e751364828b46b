//! Templates of labs: those that come with us, and the user's own, a file each in the folder of settings.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Serialize;
use vlm_lab::file;

use crate::{
    Engine,
    terraform::{create_private_dir, write_private},
};

/// Those that come with us: id and text.
const OURS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/templates.rs"));
/// How long a title may be, in characters.
const LONGEST_TITLE: usize = 60;

/// A lab to begin with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Template {
    /// Unique among templates; those of one's own begin with `own-`.
    pub id: String,
    /// What people call it.
    pub title: String,
    /// What it is for.
    pub description: String,
    /// How many machines it has.
    pub machines: u32,
    /// How many networks it has.
    pub networks: u32,
    /// The lab file.
    pub text: String,
    /// Whether it is the user's.
    pub own: bool,
}

/// Why something about a template could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A title that makes no name of a file.
    #[error("`{0}` is no title for a template; use a letter or a digit at least, and at most {LONGEST_TITLE} characters")]
    Title(String),
    /// There is one of that title.
    #[error("there is a template `{0}` already; choose another title, or remove that one first")]
    Taken(String),
    /// A text that is no lab.
    #[error("this makes no lab: {0}")]
    NoLab(String),
    /// No template of one's own of that id.
    #[error("there is no template `{0}` of your own")]
    Unknown(String),
    /// A file.
    #[error("could not {what}")]
    Io {
        /// What was attempted.
        what: String,
        /// Why.
        source: io::Error,
    },
}

/// What can be asked of templates.
pub struct Templates<'a> {
    pub(crate) engine: &'a Engine,
}

impl Templates<'_> {
    /// All templates: ours, then the user's, by id. A file that is no lab is none.
    pub fn list(&self) -> Vec<Template> {
        let ours = OURS.iter().filter_map(|(id, text)| template(id, title_of(id), text, false));
        let entries = fs::read_dir(self.dir()).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        files.sort();
        let own = files.iter().filter_map(|path| own(path));
        ours.chain(own).collect()
    }

    /// Keeps a lab file as a template.
    pub fn save(&self, title: &str, text: &str) -> Result<Template, Error> {
        let title = title.trim();
        let name = file_name(title).ok_or_else(|| Error::Title(title.to_owned()))?;
        let path = self.dir().join(format!("{name}.yaml"));
        if path.exists() {
            return Err(Error::Taken(title.to_owned()));
        }
        if let Err(problems) = file::read(text) {
            let first = problems.into_iter().next().map(|problem| problem.message);
            return Err(Error::NoLab(first.unwrap_or_else(|| "it says nothing".into())));
        }
        let io = |source| Error::Io { what: format!("write {}", path.display()), source };
        create_private_dir(&self.dir()).and_then(|()| write_private(&path, format!("{TITLE}{title}\n{text}"))).map_err(io)?;
        own(&path).ok_or_else(|| Error::NoLab("it was changed while it was written".into()))
    }

    /// Removes a template of the user's.
    pub fn remove(&self, id: &str) -> Result<(), Error> {
        let entries = fs::read_dir(self.dir()).into_iter().flatten().flatten();
        let found = entries.map(|entry| entry.path()).find(|path| own_id(path).as_deref() == Some(id));
        let path = found.ok_or_else(|| Error::Unknown(id.to_owned()))?;
        fs::remove_file(&path).map_err(|source| Error::Io { what: format!("delete {}", path.display()), source })
    }

    fn dir(&self) -> PathBuf {
        self.engine.dirs().config.join("templates")
    }
}

/// A template's own first line, which keeps its title.
const TITLE: &str = "# template: ";

fn own(path: &Path) -> Option<Template> {
    let id = own_id(path)?;
    let text = fs::read_to_string(path).ok()?;
    let (title, text) = match text.strip_prefix(TITLE).and_then(|rest| rest.split_once('\n')) {
        Some((title, text)) => (title.trim().to_owned(), text),
        None => (title_of(&id["own-".len()..]), text.as_str()),
    };
    template(&id, title, text, true)
}

fn own_id(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?.strip_suffix(".yaml")?;
    Some(format!("own-{name}"))
}

fn template(id: &str, title: String, text: &str, own: bool) -> Option<Template> {
    let lab = file::read(text).ok()?;
    Some(Template {
        id: id.to_owned(),
        title,
        machines: lab.machines().len() as u32,
        networks: lab.networks.len() as u32,
        description: lab.description.unwrap_or_default(),
        text: text.to_owned(),
        own,
    })
}

/// `router-and-two-sites` in words.
fn title_of(id: &str) -> String {
    let mut words = id.replace('-', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

/// The name of the file of a title, without its end.
fn file_name(title: &str) -> Option<String> {
    let mut name = String::new();
    for c in title.chars() {
        match c {
            c if c.is_alphanumeric() => name.extend(c.to_lowercase()),
            _ if name.is_empty() || name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    let name = name.trim_end_matches('-');
    (!name.is_empty() && title.chars().count() <= LONGEST_TITLE && !title.chars().any(char::is_control))
        .then(|| name.to_owned())
}
