//! The desktop application itself: its real window under Xvfb, driven through WebKitWebDriver as a person drives it.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::LazyLock,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal};
use serde_json::{Value, json};
use vlm_tests::{Host, Image, program, repository};

/// What a page may take to show what it knows, on a busy machine.
const SOON: Duration = Duration::from_secs(30);
/// What three emulated guests may take.
const GUESTS: Duration = Duration::from_secs(600);

#[test]
fn a_saved_lab_is_listed_with_its_machines() {
    if !desktop_tests_run() {
        return;
    }
    let dir = tempfile::tempdir().expect("the temporary folder can be written");
    let file = dir.path().join("lab.yaml");
    fs::write(&file, LAB).expect("the temporary folder can be written");
    let window = Window::open("127.0.0.1", |words| {
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .env("XDG_DATA_HOME", dir.path().join("data"))
            .env("XDG_CONFIG_HOME", dir.path().join("config"))
            .env("XDG_STATE_HOME", dir.path().join("state"));
        command
    });

    window.waits_for("No labs yet", SOON);
    window.types("#lab-file", file.to_str().expect("temporary paths are text"));
    window.presses("Save as a lab");
    window.waits_for("Plan 2 machines", SOON);
    let rows = "[...document.querySelectorAll('[aria-label=\"Machines of smoke\"] tbody tr')].map((row) => row.innerText.split(/\\s+/).slice(0, 3).join(' '))";
    assert_eq!(window.value(rows), json!(["web not deployed", "db not deployed"]));
    let sidebar =
        "[...document.querySelectorAll('ul[aria-label=Labs] a')].map((lab) => lab.innerText.trim().replace(/\\s+/g, ' '))";
    assert_eq!(window.value(sidebar), json!(["smoke designed"]));

    // What was saved is there after a reload, too; what has problems says which.
    window.ask("refresh", json!({}));
    window.waits_for("One problem stands in the way of a deploy", SOON);
    window.waits_for("image `nowhere` is unknown", SOON);

    // The page may call what its capability names, and run scripts of our own files only.
    let refused = window.later("window.__TAURI_INTERNALS__.invoke('plugin:event|emit', { event: 'stale', payload: 'labs' })");
    assert!(refused.as_str().is_some_and(|text| text.contains("not allowed")), "{refused}");
    let inline = "(() => { const script = document.createElement('script'); script.textContent = 'window.ran = 1'; document.body.append(script); return window.ran ?? null; })()";
    assert_eq!(window.value(inline), Value::Null);
}

#[test]
fn a_lab_is_planned_deployed_and_destroyed_from_the_window() {
    if !desktop_tests_run() {
        return;
    }
    let Some(host) = Host::new(&[Image::Tiny]) else { return };
    let before = host.inventory();
    let file = host.write("lab.yaml", LAB.replace("nowhere", "tiny"));
    host.vlm(["plan", &file]).ends(0); // saves it
    let address = host.run(["ip", "-4", "-o", "addr", "show", "eth0"]).ends(0).out;
    let address = address.split_whitespace().find_map(|word| word.split_once('/')).expect("a host has an address").0.to_owned();
    let window = Window::open(&address, |words| host.command(words));

    window.waits_for("smoke", SOON);
    window.clicks("ul[aria-label=Labs] a");
    window.presses("Plan 2 machines");
    window.waits_for("1 network and 2 machines created", SOON);
    window.presses("Deploy 2 machines");
    window.waits_for("2 machines ready after", GUESTS);
    window.presses("Show machines");
    let running = "[...document.querySelectorAll('[aria-label=\"Machines of smoke\"] tbody tr')].filter((row) => /running\\s+configured/.test(row.innerText)).length";
    window.waits_until(running, json!(2), SOON);

    // Live: what somebody else does to a machine is seen.
    host.virsh(&["destroy", "smoke.web"]);
    window.waits_for("shut off", SOON);
    window.waits_for("Start 1 machine", SOON);

    window.presses("Destroy…");
    window.waits_for("2 machines and 256 MiB of disks go", SOON);
    window.presses("Destroy 2 machines");
    window.waits_for("nothing is left on the host", GUESTS);
    assert_eq!(host.inventory(), before);
}

const LAB: &str = "\
version: 1
name: smoke
defaults: { image: nowhere, memory: 128 MiB, disk: 128 MiB }
networks:
  lan: { cidr: 10.88.1.0/24 }
machines:
  web: {}
  db: {}
";

/// Whether desktop tests are wanted and can run here; else says why not, or fails where they are required.
fn desktop_tests_run() -> bool {
    let missing = || {
        let programs = ["Xvfb", "WebKitWebDriver"].into_iter().find(|name| program(&[name], Path::new("")).is_none());
        programs.map(|name| format!("{name} is missing (`scripts/setup tests` installs it)")).or_else(|| {
            let page = repository().join("ui/dist/index.html");
            (!page.is_file()).then(|| "ui/dist is missing (`make ui` builds it)".to_owned())
        })
    };
    vlm_tests::tests_run(missing)
}

/// The application under test: `$VLM_APP_BIN`, or this tree's, built where the test itself was built.
fn app() -> &'static Path {
    static APP: LazyLock<PathBuf> = LazyLock::new(|| {
        if let Some(path) = env::var_os("VLM_APP_BIN") {
            return path.into();
        }
        vlm_tests::build("vlm-app", "vlm-app")
    });
    &APP
}

/// A program that ends with its test. WebKitWebDriver obeys SIGTERM, and then takes the application with it.
struct Kept(Child);

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process(Pid::from_child(&self.0), Signal::TERM); // it may have ended by itself
        let _ = self.0.wait();
    }
}

/// The application's window, on a display of its own.
struct Window {
    driver: String,
    session: String,
    // In the order of their end.
    _driver: Kept,
    _display: Kept,
}

impl Window {
    /// Opens the window. `command` makes the command that runs these words where the application shall run, which listens
    /// at `address`.
    fn open(address: &str, command: impl Fn(&[&str]) -> Command) -> Window {
        let app = app().to_str().expect("the target folder's path is text");
        let mut display = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb can be started");
        let mut number = String::new();
        BufReader::new(display.stdout.take().expect("it is piped")).read_line(&mut number).expect("Xvfb says its display");
        let display = Kept(display);
        // Free here; in a network world of its own nearly everything is.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port is free").port();
        let driver = command(&["WebKitWebDriver", &format!("--host={address}"), &format!("--port={port}")])
            .env("DISPLAY", format!(":{}", number.trim()))
            .env("NO_AT_BRIDGE", "1")
            .env("TAURI_WEBVIEW_AUTOMATION", "true")
            .env_remove("WAYLAND_DISPLAY")
            .stdin(Stdio::null())
            .spawn()
            .expect("WebKitWebDriver can be started");
        let mut window =
            Window { driver: format!("{address}:{port}"), session: String::new(), _driver: Kept(driver), _display: display };
        let until = Instant::now() + SOON;
        while TcpStream::connect(&window.driver).is_err() {
            assert!(Instant::now() < until, "WebKitWebDriver does not listen at {}", window.driver);
            thread::sleep(Duration::from_millis(20));
        }
        let options = json!({ "binary": app, "args": [] });
        let session = window.call(
            "POST",
            "/session",
            &json!({ "capabilities": { "alwaysMatch": { "webkitgtk:browserOptions": options } } }),
        );
        window.session = session["sessionId"]
            .as_str()
            .unwrap_or_else(|| panic!("the application did not open a window: {session}"))
            .to_owned();
        window
    }

    /// The value of a JavaScript expression.
    fn value(&self, expression: &str) -> Value {
        self.ask("execute/sync", json!({ "script": format!("return {expression}"), "args": [] }))
    }

    /// What a promise comes to, or what it is refused with.
    fn later(&self, expression: &str) -> Value {
        let script = format!("const done = arguments[0]; {expression}.then(done, (refusal) => done(String(refusal)))");
        self.ask("execute/async", json!({ "script": script, "args": [] }))
    }

    #[track_caller]
    fn waits_until(&self, expression: &str, wanted: Value, limit: Duration) {
        let until = Instant::now() + limit;
        loop {
            let seen = self.value(expression);
            if seen == wanted {
                return;
            }
            if Instant::now() > until {
                panic!("expected {wanted}, not {seen}, within {limit:?}; the window shows\n{}", self.text());
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    #[track_caller]
    fn waits_for(&self, text: &str, limit: Duration) {
        self.waits_until(&format!("document.body.innerText.includes({})", json!(text)), json!(true), limit);
    }

    fn text(&self) -> String {
        self.value("document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    /// Clicks the button with these words, once it can be.
    #[track_caller]
    fn presses(&self, words: &str) {
        let find = format!(
            "[...document.querySelectorAll('button:enabled')].findLast((button) => button.innerText === {})",
            json!(words)
        );
        self.waits_until(&format!("!!{find}"), json!(true), SOON);
        let button = self.value(&find);
        self.ask(&format!("element/{}/click", reference(&button)), json!({}));
    }

    #[track_caller]
    fn clicks(&self, selector: &str) {
        self.ask(&format!("element/{}/click", self.find(selector)), json!({}));
    }

    #[track_caller]
    fn types(&self, selector: &str, text: &str) {
        self.ask(&format!("element/{}/value", self.find(selector)), json!({ "text": text }));
    }

    fn find(&self, selector: &str) -> String {
        self.waits_until(&format!("!!document.querySelector({})", json!(selector)), json!(true), SOON);
        reference(&self.ask("element", json!({ "using": "css selector", "value": selector })))
    }

    fn ask(&self, what: &str, body: Value) -> Value {
        self.call("POST", &format!("/session/{}/{what}", self.session), &body)
    }

    /// One request to the driver. Its answers are small, and end with their connection.
    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let mut stream = TcpStream::connect(&self.driver).expect("the driver listens");
        stream.set_read_timeout(Some(Duration::from_secs(120))).expect("the limit is not zero");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.driver,
            body.len()
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).expect("the driver reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap_or_else(|error| panic!("{method} {path}: no answer: {error}"));
        let answer = String::from_utf8(answer).expect("WebDriver speaks UTF-8");
        let json = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let value: Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{method} {path}: {error}\n{answer}"));
        assert!(value["value"]["error"].is_null() || self.session.is_empty(), "{method} {path} {body}\n{value}");
        value["value"].clone()
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // Closes the application; a failed test must not fail again here.
        if !self.session.is_empty() && !thread::panicking() {
            self.call("DELETE", &format!("/session/{}", self.session), &json!({}));
        }
    }
}

/// WebDriver's name of an element.
fn reference(element: &Value) -> String {
    element["element-6066-11e4-a52e-4f735466cecf"].as_str().unwrap_or_else(|| panic!("no element: {element}")).to_owned()
}
