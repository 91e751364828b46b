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
use vlm_tests::{Host, Image, Running, Workstation, program, repository};

/// What a page may take to show what it knows, on a busy machine.
const SOON: Duration = Duration::from_secs(30);
/// What a host may take to be reached again: tries are half a minute apart at most.
const RECONNECTED: Duration = Duration::from_secs(90);
/// What three emulated guests may take.
const GUESTS: Duration = Duration::from_secs(600);

#[test]
fn a_lab_is_drawn_by_keys_saved_and_shown_in_two_languages() {
    if !desktop_tests_run() {
        return;
    }
    let dir = tempfile::tempdir().expect("the temporary folder can be written");
    let window = Window::alone(dir.path());

    // A first start: what this computer lacks, and labs to take.
    window.waits_for("From here to a running lab", SOON);
    window.waits_for("Pick a lab", SOON);
    window.waits_for("Attacker and target", SOON);

    // Drawn by keys: another network, two machines; what the text says is the same.
    window.goes_to("/new?template=empty");
    window.waits_until("!!document.querySelector('.react-flow__pane')", json!(true), SOON);
    window.waits_until(&nodes("lane"), json!(1), SOON);
    window.keys("w");
    window.waits_until(&nodes("lane"), json!(2), SOON);
    window.keys("n");
    window.waits_until(&nodes("machine"), json!(1), SOON);
    window.keys("n");
    window.waits_until(&nodes("machine"), json!(2), SOON);
    window.keys(UNDO);
    window.waits_until(&nodes("machine"), json!(1), SOON);
    window.keys(SAVE);
    window.waits_until("/^#.labs.[a-z0-9-]+.design$/.test(location.hash)", json!(true), SOON);
    let name = window.value("location.hash.split('/')[2]");
    let name = name.as_str().expect("an address is text").to_owned();
    let sidebar = format!("[...document.querySelectorAll('nav ul a')].some((lab) => lab.innerText.includes({}))", json!(name));
    window.waits_until(&sidebar, json!(true), SOON);

    // What was saved is there after a reload, too; and in French.
    window.speaks("fr");
    window.waits_for("Tableau de bord", SOON);
    window.waits_until(&sidebar, json!(true), SOON);
    window.waits_until(&nodes("machine"), json!(1), SOON);

    // The page may call what its capability names, and run scripts of our own files only.
    let refused = window.later("window.__TAURI_INTERNALS__.invoke('plugin:event|emit', { event: 'stale', payload: 'labs' })");
    assert!(refused.as_str().is_some_and(|text| text.contains("not allowed")), "{refused}");
    let inline = "(() => { const script = document.createElement('script'); script.textContent = 'window.ran = 1'; document.body.append(script); return window.ran ?? null; })()";
    assert_eq!(window.value(inline), Value::Null);
}

#[test]
fn a_first_lab_is_drawn_by_mouse_deployed_stopped_and_destroyed() {
    check_first_lab(&ENGLISH);
}

#[test]
fn a_first_lab_is_drawn_deployed_stopped_and_destroyed_in_french() {
    check_first_lab(&FRENCH);
}

/// From a first start to a lab that is gone again, as somebody goes that way who reads these words.
fn check_first_lab(words: &Words) {
    if !desktop_tests_run() {
        return;
    }
    let Some(host) = Host::new(&[Image::Tiny]) else { return };
    let before = host.inventory();
    let address = host.run(["ip", "-4", "-o", "addr", "show", "eth0"]).ends(0).out;
    let address = address.split_whitespace().find_map(|word| word.split_once('/')).expect("a host has an address").0.to_owned();
    let window = Window::open(&address, |words| host.command(words));
    window.waits_for(ENGLISH.first, SOON);
    window.speaks(words.language);
    window.waits_for(words.first, SOON);
    window.follows(words.blank);
    window.presses(words.empty);
    draw(&window, words);

    window.keys(SAVE);
    window.waits_until("location.hash", json!("#/labs/smoke/design"), SOON);
    window.goes_to("/labs/smoke");
    window.presses(words.plan);
    window.presses(words.deploy);
    window.waits_for("2 machines ready after", GUESTS);
    window.goes_to("/labs/smoke");
    let rows = |like: &str| {
        let row = format!("/{like}/.test(row.innerText.replace(/\\s+/g, ' '))");
        format!("[...document.querySelectorAll('tr')].filter((row) => {row}).length")
    };
    let Words { running, off, yes, .. } = words;
    window.waits_until(&rows(&format!("{running} 10\\.77\\.1\\.[0-9]+ tiny .* {yes}")), json!(2), SOON);
    // What is chosen in the topology is chosen in the table.
    window.clicks(&found(&node("machine", "db")));
    window.waits_until("document.querySelector('tr[aria-selected=true]')?.querySelector('a').innerText", json!("db"), SOON);
    // Each has its page, with what it is made of.
    window.goes_to("/labs/smoke/machines/web?tab=xml");
    window.waits_for("smoke.web", SOON);

    // Live: what somebody else does to a machine is seen.
    window.goes_to("/labs/smoke");
    host.virsh(&["destroy", "smoke.web"]);
    window.waits_until(&rows(&format!("web .*{off}")), json!(1), SOON);
    window.presses(words.shut_down);
    window.presses(words.shut_down_one);
    window.waits_for("1 machine stopped", GUESTS);
    window.goes_to("/labs/smoke");
    window.waits_until(&rows(&format!("(web|db) .*{off}")), json!(2), SOON);

    window.goes_to("/labs/smoke/plan?what=destroy");
    window.presses(words.destroy);
    window.waits_for(words.loss, SOON);
    window.types("#confirm-name", "smoke");
    window.presses(words.destroy);
    window.waits_for("nothing is left on the host", GUESTS);
    assert_eq!(host.inventory(), before);
}

/// Draws a lab of two machines on two networks into the empty one, by the pointer as far as one would.
fn draw(window: &Window, words: &Words) {
    let [name, image, disk, memory] = &words.fields;
    window.waits_until(&nodes("lane"), json!(1), SOON);
    window.fills(name, "smoke");
    window.fills(image, "tiny");
    window.fills(disk, "128 MiB");
    let lane = window.middle_of(&found(&node("lane", "lan")));
    let below = |x: i64, y: i64| (lane.0 + x, lane.1 + y);
    let tool = |words: &str| {
        let tools = "[...document.querySelectorAll('[role=toolbar][aria-orientation=vertical] button')]";
        window.middle_of(&format!("{tools}.find((tool) => tool.innerText === {})", json!(words)))
    };
    for (place, name_of_it) in [(below(-120, 96), "web"), (below(120, 96), "db")] {
        window.drags(tool(words.machine), place);
        window.waits_until(&format!("{}?.value", labelled(name)), json!("machine"), SOON);
        window.fills(name, name_of_it);
        // The next one takes the name that this one gives up.
        window.waits_until(&format!("!!{}", found(&node("machine", name_of_it))), json!(true), SOON);
    }
    window.drags(tool(words.isolated), below(0, 192));
    window.waits_until(&nodes("lane"), json!(2), SOON);
    let handle = format!("{} .react-flow__handle-bottom", node("machine", "db"));
    window.drags(window.middle_of(&found(&handle)), window.middle_of(&found(&node("lane", "back"))));

    // Both machines, by a rectangle around them: deleted, brought back, and made small at once.
    let chosen = |machines: usize| {
        window.drags(below(-260, 48), below(260, 150));
        window.waits_until("document.querySelectorAll('.react-flow__node.selected').length", json!(machines), SOON);
    };
    chosen(2);
    window.keys(DELETE);
    window.waits_until(&nodes("machine"), json!(0), SOON);
    window.keys(UNDO);
    window.waits_until(&nodes("machine"), json!(2), SOON);
    chosen(2);
    window.fills(memory, "128 MiB");
    window.waits_until("document.querySelector('.cm-content').innerText.trim()", json!(DRAWN.trim()), SOON);
}

/// What the window says where it is pressed and where it is waited for.
struct Words {
    language: &'static str,
    first: &'static str,
    blank: &'static str,
    empty: &'static str,
    machine: &'static str,
    isolated: &'static str,
    fields: [&'static str; 4],
    plan: &'static str,
    deploy: &'static str,
    running: &'static str,
    off: &'static str,
    yes: &'static str,
    shut_down: &'static str,
    shut_down_one: &'static str,
    destroy: &'static str,
    loss: &'static str,
}

const ENGLISH: Words = Words {
    language: "en",
    first: "From here to a running lab",
    blank: "Begin with an empty lab",
    empty: "Empty lab",
    machine: "Machine",
    isolated: "Isolated",
    fields: ["Name", "Image", "System disk", "Memory"],
    plan: "Plan 2 machines",
    deploy: "Deploy 2 machines",
    running: "running",
    off: "shut off",
    yes: "yes",
    shut_down: "Shut down…",
    shut_down_one: "Shut down 1 machine",
    destroy: "Destroy 2 machines",
    loss: "2 machines and 256 MiB of disks go",
};

const FRENCH: Words = Words {
    language: "fr",
    first: "D’ici à un lab qui tourne",
    blank: "Commencer par un lab vide",
    empty: "Lab vide",
    machine: "Machine",
    isolated: "Isolé",
    fields: ["Nom", "Image", "Disque système", "Mémoire"],
    plan: "Planifier 2 machines",
    deploy: "Déployer 2 machines",
    running: "en marche",
    off: "éteinte",
    yes: "oui",
    shut_down: "Éteindre…",
    shut_down_one: "Éteindre 1 machine",
    destroy: "Détruire 2 machines",
    loss: "2 machines et 256 MiB de disques disparaissent",
};

const DRAWN: &str = "\
version: 1
name: smoke
defaults: { image: tiny, disk: 128 MiB }
networks:
  lan: { cidr: 10.77.1.0/24 }
  back: { mode: isolated, cidr: 10.77.2.0/24 }
machines:
  web:
    memory: 128 MiB
  db:
    memory: 128 MiB
    nics: [ lan, back ]
";

#[test]
fn a_broken_file_is_refused_with_its_place_and_loses_nothing() {
    if !desktop_tests_run() {
        return;
    }
    let dir = tempfile::tempdir().expect("the temporary folder can be written");
    let file = dir.path().join("lab.yaml");
    let file = file.to_str().expect("temporary paths are text");
    let window = Window::alone(dir.path());
    window.waits_for(ENGLISH.first, SOON);
    window.goes_to("/labs");
    fs::write(file, LAB).expect("the temporary folder can be written");
    window.presses("Import a lab.yaml");
    window.chooses_file(file);
    window.waits_until("location.hash", json!("#/labs/smoke"), SOON);

    // The same file, once somebody broke it: it cannot be read, and what was there is as it was.
    fs::write(file, LAB.replace("web: {}", "web: {")).expect("the temporary folder can be written");
    window.goes_to("/labs");
    window.presses("Import…");
    window.chooses_file(file);
    window.waits_for("Could not import the lab", SOON);
    window.waits_for("The lab file cannot be read", SOON);
    window.waits_for("lab.yaml:8:3: the structure cannot be read here; check the indentation of this line", SOON);
    let text = window.later("window.__TAURI_INTERNALS__.invoke('read_lab', { name: 'smoke' })");
    assert_eq!((&text["revision"], &text["text"]), (&json!(1), &json!(LAB)), "{text}");

    // One that can be read, and is wrong, is the lab's next revision: a draft, whose page says where.
    fs::write(file, LAB.replace("image: tiny,", "image: tiny, memry: 1,")).expect("the temporary folder can be written");
    window.presses("Import…");
    window.chooses_file(file);
    window.waits_until("location.hash", json!("#/labs/smoke"), SOON);
    window.waits_for("lab.yaml:3:26: unknown field `memry`, did you mean `memory`?", SOON);
}

#[test]
fn a_host_that_is_unplugged_during_a_deploy_is_named_and_the_run_is_resumed() {
    if !desktop_tests_run() {
        return;
    }
    let Some(host) = Host::new(&[]) else { return };
    let before = host.inventory();
    let desk = Workstation::new(&[Image::Tiny], &[("far", &host)]);
    let file = desk.file("lab.yaml", LAB.replace("name: smoke", "name: smoke\nhost: far"));
    desk.vlm(["plan", &file]).ends(0); // saves it
    let window = Window::open("127.0.0.1", |words| {
        let mut command = desk.command(words[0]);
        command.args(&words[1..]);
        command
    });
    window.waits_for("smoke", SOON);
    window.goes_to("/labs/smoke");
    window.presses("Plan 2 machines");
    window.presses("Deploy 2 machines");
    window.waits_for("create libvirt_volume", GUESTS);
    host.cable(false);
    window.waits_for("The run failed", GUESTS);
    window.waits_for("Host `far`: could not reach root@", SOON);
    window.waits_for("Is it on, is sshd running there, and do address and port fit?", SOON);
    window.goes_to("/labs/smoke");
    window.waits_for("The machines’ states are not known", SOON);

    // Plugged again, the page sees it by itself, and the run is finished where it was.
    host.cable(true);
    window.waits_until("!document.body.innerText.includes('The machines’ states are not known')", json!(true), RECONNECTED);
    window.goes_to("/labs/smoke/runs/1");
    window.presses("Resume deploy");
    window.presses("Deploy 2 machines");
    // A disk that was being made in that moment is made anew, which is asked about as with any.
    let asks = "!!document.querySelector('#confirm-name')";
    window.waits_until(&format!("location.hash === '#/labs/smoke/runs/2' || {asks}"), json!(true), SOON);
    if window.value(asks) == json!(true) {
        window.types("#confirm-name", "smoke");
        window.presses("Deploy, and lose the data");
    }
    window.waits_for("2 machines ready after", GUESTS);
    window.goes_to("/labs/smoke/plan?what=destroy");
    window.presses("Destroy 2 machines");
    window.types("#confirm-name", "smoke");
    window.presses("Destroy 2 machines");
    window.waits_for("nothing is left on the host", GUESTS);
    assert_eq!(host.inventory(), before);
}

/// The field with this label.
fn labelled(label: &str) -> String {
    format!("[...document.querySelectorAll('label')].find((label) => label.innerText === {})?.control", json!(label))
}

/// What a CSS selector finds first.
fn found(selector: &str) -> String {
    format!("document.querySelector({})", json!(selector))
}

/// The CSS selector of the thing of a kind and name on the canvas.
fn node(kind: &str, name: &str) -> String {
    let letter = if kind == "lane" { "n" } else { "m" };
    format!(".react-flow__node-{kind}[data-id=\"{letter} {name}\"]")
}

/// How many things of a kind are drawn.
fn nodes(kind: &str) -> String {
    format!("document.querySelectorAll('.react-flow__node-{kind}').length")
}

const LAB: &str = "\
version: 1
name: smoke
defaults: { image: tiny, memory: 128 MiB, disk: 128 MiB }
networks:
  lan: { cidr: 10.88.1.0/24 }
machines:
  web: {}
  db: {}
";

/// WebDriver's name of the key, and what is pressed with it.
const CTRL: char = '\u{e009}';
const UNDO: &str = "\u{e009}z";
const SAVE: &str = "\u{e009}s";
const ALL: &str = "\u{e009}a";
const DELETE: &str = "\u{e017}";
const ENTER: &str = "\u{e007}";

/// Whether desktop tests are wanted and can run here; else says why not, or fails where they are required.
fn desktop_tests_run() -> bool {
    let missing = || {
        let programs =
            ["Xvfb", "WebKitWebDriver", "xdotool"].into_iter().find(|name| program(&[name], Path::new("")).is_none());
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
    display: String,
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
        let number = format!(":{}", number.trim());
        let display = Kept(display);
        // Free here; in a network world of its own nearly everything is.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port is free").port();
        let driver = command(&["WebKitWebDriver", &format!("--host={address}"), &format!("--port={port}")])
            .env("DISPLAY", &number)
            .env("NO_AT_BRIDGE", "1")
            .env("TAURI_WEBVIEW_AUTOMATION", "true")
            .env_remove("WAYLAND_DISPLAY")
            .stdin(Stdio::null())
            .spawn()
            .expect("WebKitWebDriver can be started");
        let mut window = Window {
            driver: format!("{address}:{port}"),
            session: String::new(),
            display: number,
            _driver: Kept(driver),
            _display: display,
        };
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

    /// Opens it on this computer, for somebody whose files are in a folder.
    fn alone(dir: &Path) -> Window {
        Window::open("127.0.0.1", |words| {
            let mut command = Command::new(words[0]);
            command
                .args(&words[1..])
                .env("XDG_DATA_HOME", dir.join("data"))
                .env("XDG_CONFIG_HOME", dir.join("config"))
                .env("XDG_STATE_HOME", dir.join("state"))
                .env("LC_ALL", "C.UTF-8");
            command
        })
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

    /// Follows the link with these words.
    #[track_caller]
    fn follows(&self, words: &str) {
        self.clicks(&format!("[...document.querySelectorAll('a')].find((link) => link.innerText === {})", json!(words)));
    }

    /// Clicks where an expression finds something.
    #[track_caller]
    fn clicks(&self, element: &str) {
        let place = self.middle_of(element);
        self.drags(place, place);
    }

    /// Writes into the field with this label, over what is there.
    #[track_caller]
    fn fills(&self, label: &str, text: &str) {
        let find = labelled(label);
        self.waits_until(&format!("!!{find}"), json!(true), SOON);
        let field = reference(&self.value(&find));
        self.ask(&format!("element/{field}/click"), json!({}));
        self.keys(ALL);
        self.keys(&format!("{text}{ENTER}"));
    }

    /// Answers the desktop's own dialog for a file, by its keys. While it opens its field for a path it loses some, and it does
    /// not take a path that it has not looked for yet: they are pressed until it is gone.
    #[track_caller]
    fn chooses_file(&self, path: &str) {
        let xdotool = |words: &[&str]| {
            let mut command = Command::new("xdotool");
            command.args(words).env("DISPLAY", &self.display);
            Running::start(command).end(SOON)
        };
        let dialog = || xdotool(&["search", "--onlyvisible", "--name", "^Open"]).out.lines().last().map(str::to_owned);
        let until = Instant::now() + SOON;
        let mut typed: Option<Instant> = None;
        loop {
            match (dialog(), typed) {
                // Where the dialog has just gone, it cannot have the focus, and nothing is pressed.
                (Some(dialog), Some(at)) if at.elapsed() < Duration::from_secs(5) => {
                    xdotool(&["windowfocus", "--sync", &dialog, "key", "Return"]);
                }
                (Some(dialog), _) => {
                    xdotool(&["windowfocus", "--sync", &dialog, "key", "ctrl+l", "ctrl+a", "type", path]);
                    typed = Some(Instant::now());
                }
                (None, Some(_)) => return,
                (None, None) => {}
            }
            assert!(Instant::now() < until, "the dialog for a file is not there, or does not take {path}");
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// Has the page in a language.
    fn speaks(&self, language: &str) {
        let kept = format!("{{ ...JSON.parse(localStorage.vlm ?? '{{}}'), language: '{language}' }}");
        self.value(&format!("localStorage.setItem('vlm', JSON.stringify({kept}))"));
        self.ask("refresh", json!({}));
    }

    /// Opens another page of ours.
    fn goes_to(&self, page: &str) {
        self.value(&format!("void (location.hash = {})", json!(page)));
    }

    /// Presses keys one after the other, where the focus is; those of `Ctrl` at once.
    fn keys(&self, keys: &str) {
        let press = |key: char, kind: &str| json!({ "type": kind, "value": key.to_string() });
        let actions: Vec<Value> = match keys.strip_prefix(CTRL) {
            Some(rest) => {
                let key = rest.chars().next().expect("Ctrl goes with a key");
                vec![press(CTRL, "keyDown"), press(key, "keyDown"), press(key, "keyUp"), press(CTRL, "keyUp")]
            }
            None => keys.chars().flat_map(|key| [press(key, "keyDown"), press(key, "keyUp")]).collect(),
        };
        self.ask("actions", json!({ "actions": [{ "type": "key", "id": "keys", "actions": actions }] }));
    }

    #[track_caller]
    fn types(&self, selector: &str, text: &str) {
        self.ask(&format!("element/{}/value", self.find(selector)), json!({ "text": text }));
    }

    /// Where the middle of what an expression finds is in the window, once it is there.
    #[track_caller]
    fn middle_of(&self, element: &str) -> (i64, i64) {
        self.waits_until(&format!("!!{element}"), json!(true), SOON);
        let place = self.value(&format!(
            "(({{ x, y, width, height }}) => [x + width / 2, y + height / 2])({element}.getBoundingClientRect())"
        ));
        let at = |index: usize| place[index].as_f64().expect("a place is two numbers") as i64;
        (at(0), at(1))
    }

    /// Takes with the pointer what is at one place to another.
    fn drags(&self, from: (i64, i64), to: (i64, i64)) {
        let to_there = |(x, y): (i64, i64)| json!({ "type": "pointerMove", "duration": 0, "x": x, "y": y });
        let between =
            (1..10).map(|tenth| to_there((from.0 + (to.0 - from.0) * tenth / 10, from.1 + (to.1 - from.1) * tenth / 10)));
        let actions: Vec<Value> = [to_there(from), json!({ "type": "pointerDown", "button": 0 })]
            .into_iter()
            .chain(between)
            .chain([to_there(to), json!({ "type": "pointerUp", "button": 0 })])
            .collect();
        let mouse = json!({ "pointerType": "mouse" });
        self.ask(
            "actions",
            json!({ "actions": [{ "type": "pointer", "id": "mouse", "parameters": mouse, "actions": actions }] }),
        );
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
