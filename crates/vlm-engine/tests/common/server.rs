//! A web server that does as it is told, on loopback.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

/// What was asked.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    pub path: String,
    pub range: Option<String>,
    pub if_range: Option<String>,
}

/// What is answered: a head, its lines without their ends, and a body, and what comes after it.
#[derive(Debug, Clone)]
pub struct Reply {
    pub head: Vec<String>,
    pub body: Vec<u8>,
    pub then: Then,
}

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It is closed.
    Close,
    /// It stays open, and nothing comes.
    Hang,
    /// The body, as a chunk, comes again and again.
    Endless,
}

pub struct Server {
    pub port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    body_bytes: Arc<AtomicU64>,
}

impl Server {
    /// `answer` gets what is asked, and how many times something was asked before.
    pub fn new(answer: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, body_bytes) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU64::new(0)));
        let (all, count, answer) = (asked.clone(), body_bytes.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (all, count, answer) = (all.clone(), count.clone(), answer.clone());
                thread::spawn(move || serve(stream.unwrap(), &all, &count, &*answer));
            }
        });
        Server { port, asked, body_bytes }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// All that was asked.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// How many bytes of bodies were sent.
    pub fn body_bytes(&self) -> u64 {
        self.body_bytes.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: TcpStream, all: &Mutex<Vec<Asked>>, count: &AtomicU64, answer: &dyn Fn(&Asked, usize) -> Reply) {
    let mut asked = Asked::default();
    for (i, line) in BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok).enumerate() {
        match line.split_once(": ") {
            _ if i == 0 => asked.path = line.split(' ').nth(1).unwrap_or_default().to_owned(),
            Some((name, value)) if name.eq_ignore_ascii_case("range") => asked.range = Some(value.to_owned()),
            Some((name, value)) if name.eq_ignore_ascii_case("if-range") => asked.if_range = Some(value.to_owned()),
            _ if line.is_empty() => break,
            _ => {}
        }
    }
    let before = {
        let mut all = all.lock().unwrap();
        all.push(asked.clone());
        all.len() - 1
    };
    let reply = answer(&asked, before);
    let mut head = reply.head.join("\r\n");
    if !head.is_empty() {
        head.push_str("\r\n\r\n");
    }
    // Whoever asks may go away at any time.
    let _ = stream.write_all(head.as_bytes());
    count.fetch_add(reply.body.len() as u64, Ordering::SeqCst);
    let _ = stream.write_all(&reply.body);
    match reply.then {
        Then::Close => {}
        Then::Hang => drop(stream.read(&mut [0])), // until the other side closes it
        Then::Endless => while stream.write_all(&reply.body).is_ok() {},
    }
}

impl Reply {
    pub fn new(head: &[&str], body: impl Into<Vec<u8>>) -> Reply {
        Reply { head: head.iter().map(|line| line.to_string()).collect(), body: body.into(), then: Then::Close }
    }

    /// The whole of `body`, as a server sends a file.
    pub fn file(body: &[u8], etag: &str) -> Reply {
        let mut reply = Reply::new(&["HTTP/1.1 200 OK", "Content-Type: application/octet-stream"], body);
        reply.head.extend([format!("Content-Length: {}", body.len()), format!("ETag: {etag}")]);
        reply
    }

    /// `body`, or the part of it that is asked for, if it has not changed.
    pub fn range(asked: &Asked, body: &[u8], etag: &str) -> Reply {
        let from =
            asked.range.as_ref().and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
        match from {
            Some(from) if asked.if_range.as_deref() == Some(etag) && from < body.len() => {
                Reply::part(body, from, body.len()).tagged(etag)
            }
            _ => Reply::file(body, etag),
        }
    }

    /// A part of `body`, said to be of `total` bytes.
    pub fn part(body: &[u8], from: usize, total: usize) -> Reply {
        let rest = &body[from..];
        let mut reply = Reply::new(&["HTTP/1.1 206 Partial Content"], rest);
        let range = format!("Content-Range: bytes {from}-{}/{total}", body.len() - 1);
        reply.head.extend([format!("Content-Length: {}", rest.len()), range]);
        reply
    }

    fn tagged(mut self, etag: &str) -> Reply {
        self.head.push(format!("ETag: {etag}"));
        self
    }

    pub fn with(mut self, line: &str) -> Reply {
        self.head.push(line.to_owned());
        self
    }

    pub fn without(mut self, name: &str) -> Reply {
        self.head.retain(|line| !line.starts_with(name));
        self
    }

    /// Only the first `n` bytes of the body are sent.
    pub fn cut(mut self, n: usize) -> Reply {
        self.body.truncate(n);
        self
    }

    pub fn then(mut self, then: Then) -> Reply {
        self.then = then;
        self
    }

    pub fn redirect(to: &str) -> Reply {
        Reply::new(&["HTTP/1.1 302 Found", &format!("Location: {to}"), "Content-Length: 0"], "")
    }
}
