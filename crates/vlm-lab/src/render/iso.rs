//! The CD image on which cloud-init finds a seed: ISO 9660 with the names of Rock Ridge (Linux, BSD) and of Joliet (Windows).
//!
//! Only what a seed needs: one folder, a few small files. The same files always give the same bytes.

const SECTOR: usize = 2048;

// The image's sectors. The first 16 are for boot code, of which we have none.
const PRIMARY: usize = 16;
const JOLIET: usize = 17;
const TERMINATOR: usize = 18;
/// Four path tables: each volume's in either byte order.
const PATH_TABLES: usize = 19;
const PRIMARY_ROOT: usize = 23;
const JOLIET_ROOT: usize = 24;
const FIRST_FILE: usize = 25;

/// A path table that knows only the root: its length is that of one entry.
const PATH_TABLE_LENGTH: u32 = 10;
/// 1970-01-01, as a directory has it: an image does not tell when it was made.
const DATE: [u8; 7] = [70, 1, 1, 0, 0, 0, 0];
const FOLDER: u8 = 2;

/// An image labelled `label` with `files`, given by name, in order of their names. Names are short: up to 30 characters.
pub(super) fn image(label: &str, files: &[(&str, &str)]) -> Vec<u8> {
    let mut next = FIRST_FILE;
    let placed: Vec<File> = files
        .iter()
        .map(|(name, text)| {
            let file = File { name, sector: next, length: text.len() };
            next += text.len().div_ceil(SECTOR);
            file
        })
        .collect();

    let mut image = vec![0; next * SECTOR];
    put(&mut image, PRIMARY, &volume(1, label, next, PRIMARY_ROOT, PATH_TABLES));
    put(&mut image, JOLIET, &volume(2, label, next, JOLIET_ROOT, PATH_TABLES + 2));
    put(&mut image, TERMINATOR, b"\xffCD001\x01");
    for (index, root) in [PRIMARY_ROOT, JOLIET_ROOT].into_iter().enumerate() {
        let root = root as u32;
        put(&mut image, PATH_TABLES + 2 * index, &[&[1, 0][..], &root.to_le_bytes(), &[1, 0, 0, 0]].concat());
        put(&mut image, PATH_TABLES + 2 * index + 1, &[&[1, 0][..], &root.to_be_bytes(), &[0, 1, 0, 0]].concat());
    }
    put(&mut image, PRIMARY_ROOT, &primary_folder(&placed));
    put(&mut image, JOLIET_ROOT, &joliet_folder(&placed));
    for (file, (_, text)) in placed.iter().zip(files) {
        put(&mut image, file.sector, text.as_bytes());
    }
    image
}

struct File<'a> {
    name: &'a str,
    sector: usize,
    length: usize,
}

fn put(image: &mut [u8], sector: usize, bytes: &[u8]) {
    image[sector * SECTOR..][..bytes.len()].copy_from_slice(bytes);
}

/// A volume descriptor: the primary one (type 1), or Joliet's (type 2), whose texts are UCS-2.
fn volume(kind: u8, label: &str, sectors: usize, root: usize, path_tables: usize) -> Vec<u8> {
    let text = |text: &str, length: usize| match kind {
        1 => format!("{text:length$}").into_bytes(),
        _ => [ucs2(&format!("{text:width$}", width = length / 2)), vec![0; length % 2]].concat(),
    };
    let mut bytes = [&[kind][..], b"CD001\x01\0", &text("", 32), &text(label, 32), &[0; 8], &both_32(sectors)].concat();
    bytes.resize(120, 0);
    if kind == 2 {
        bytes[88..91].copy_from_slice(b"%/E");
    }
    bytes.extend([both_16(1), both_16(1), both_16(SECTOR)].concat());
    bytes.extend(both_32(PATH_TABLE_LENGTH as usize));
    bytes.extend([(path_tables as u32).to_le_bytes(), [0; 4], (path_tables as u32 + 1).to_be_bytes(), [0; 4]].concat());
    bytes.extend(record(&[0], root, SECTOR, FOLDER, &[]));
    for length in [128, 128, 128, 128, 37, 37, 37] {
        bytes.extend(text("", length));
    }
    for _ in 0..4 {
        bytes.extend(b"0000000000000000\0");
    }
    bytes.push(1);
    bytes
}

/// The root folder with names of eight capital letters, and the true ones as Rock Ridge entries.
fn primary_folder(files: &[File]) -> Vec<u8> {
    let start = [&b"SP\x07\x01\xbe\xef\0"[..], &rock_ridge_mode(0o040_500, 2), b"ER\x12\x01\x0a\0\0\x01RRIP_1991A"].concat();
    let mut bytes = record(&[0], PRIMARY_ROOT, SECTOR, FOLDER, &start);
    bytes.extend(record(&[1], PRIMARY_ROOT, SECTOR, FOLDER, &rock_ridge_mode(0o040_500, 2)));
    for file in files {
        let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        let short: String = file.name.chars().take(8).map(letter).chain(".;1".chars()).collect();
        let name = [b"NM", &[5 + file.name.len() as u8, 1, 0][..], file.name.as_bytes()].concat();
        bytes.extend(record(short.as_bytes(), file.sector, file.length, 0, &[rock_ridge_mode(0o100_400, 1), name].concat()));
    }
    bytes
}

fn joliet_folder(files: &[File]) -> Vec<u8> {
    let mut bytes = record(&[0], JOLIET_ROOT, SECTOR, FOLDER, &[]);
    bytes.extend(record(&[1], JOLIET_ROOT, SECTOR, FOLDER, &[]));
    for file in files {
        bytes.extend(record(&ucs2(&format!("{};1", file.name)), file.sector, file.length, 0, &[]));
    }
    bytes
}

/// An entry of a folder. `more` is the system's own: Rock Ridge's entries.
fn record(name: &[u8], sector: usize, length: usize, flags: u8, more: &[u8]) -> Vec<u8> {
    let mut bytes = [&[0, 0][..], &both_32(sector), &both_32(length), &DATE, &[flags, 0, 0], &both_16(1)].concat();
    bytes.push(name.len() as u8);
    bytes.extend(name);
    for part in [&[][..], more] {
        bytes.extend(part);
        if bytes.len() % 2 == 1 {
            bytes.push(0);
        }
    }
    bytes[0] = u8::try_from(bytes.len()).expect("names are short");
    bytes
}

/// Only root reads a seed: it holds the guest's private key.
fn rock_ridge_mode(mode: usize, links: usize) -> Vec<u8> {
    [b"PX\x24\x01", &both_32(mode)[..], &both_32(links), &both_32(0), &both_32(0)].concat()
}

fn ucs2(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

fn both_32(number: usize) -> [u8; 8] {
    let number = u32::try_from(number).expect("a seed is small");
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn both_16(number: usize) -> [u8; 4] {
    let number = number as u16;
    let [a, b] = number.to_le_bytes();
    [a, b, b, a]
}
