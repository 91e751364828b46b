//! What `scripts/bench` measures inside the engine, through its public interface alone; it prints one JSON object.
//!
//!     bench labs DIR COUNT            makes an engine's data directory DIR with COUNT labs
//!     bench check COUNT ROUNDS        checks and renders a lab of COUNT machines, ROUNDS times
//!     bench domains DIR SOCKET COUNT  lists COUNT domains of libvirt's test driver in the daemon behind SOCKET, over a round
//!                                     trip of 20 ms: by our one question, and one by one
//!     bench link USER ADDRESS IDENTITY HOST-KEY PORT
//!                                     leads a port of its own, which it prints, through one link to PORT of the host's loopback
//!                                     interface, as the keeper of a lab's ports does; until its standard input ends
//!     bench events DIR COUNT          stores COUNT events of a run in a database in DIR, and the same rows with SQLite alone
//!     bench lab DIR COUNT             saves a lab `bench` of COUNT machines in an engine's data directory DIR
//!     bench run DIR RATE SECONDS MACHINES
//!                                     begins a run of that lab and prints its number; once its standard input says a line, it says
//!                                     RATE events a second: lines of a log, or, with MACHINES, what deploys say of so many

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fmt::Write as _,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use rusqlite::{Connection, params};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use vlm_engine::{
    Dirs, Engine,
    journal::Journal,
    libvirt::{self, Target},
    runs::{EventBody, ResourceState, RunKind, RunStatus, TaskOutcome},
    ssh::{self, ask::Asker, kept::Kept, link::Remote},
    store::Store,
};
use vlm_lab::{
    file,
    model::Size,
    phase::Phase,
    problems::{ImageFacts, Surroundings},
    render::{self, Context, DomainType},
};

/// A lab of a usual size, with comments and all.
const LAB: &str = include_str!("../../../examples/three-tier.yaml");

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match args.as_slice() {
        ["labs", dir, count] => labs(Path::new(dir), count.parse()?)?,
        ["check", count, rounds] => check(count.parse()?, rounds.parse()?)?,
        ["domains", dir, socket, count] => domains(Path::new(dir), Path::new(socket), count.parse()?)?,
        ["link", user, address, identity, host_key, port] => {
            let remote = Remote {
                address: address.to_string(),
                port: 22,
                user: user.to_string(),
                identity: Some(identity.into()),
                host_key: Some(host_key.to_string()),
            };
            return link(remote, port.parse()?);
        }
        ["events", dir, count] => events(Path::new(dir), count.parse()?)?,
        ["lab", dir, count] => lab(Path::new(dir), count.parse()?)?,
        ["run", dir, rate, seconds, machines] => run(Path::new(dir), rate.parse()?, seconds.parse()?, machines.parse()?)?,
        _ => {
            return Err("usage: bench labs DIR COUNT | check COUNT ROUNDS | domains DIR SOCKET COUNT | \
                        link USER ADDRESS IDENTITY HOST-KEY PORT | events DIR COUNT | lab DIR COUNT | \
                        run DIR RATE SECONDS MACHINES"
                .into());
        }
    };
    println!("{result}");
    Ok(())
}

fn labs(dir: &Path, count: usize) -> Result<Value, Box<dyn Error>> {
    let engine = Engine::open(Dirs { data: dir.join("vlm"), config: dir.join("no-settings"), state: dir.join("state") })?;
    for i in 0..count {
        let text = LAB.replace("name: three-tier", &format!("name: bench-{i:04}"));
        engine.labs().save(&text, dir, None)?;
    }
    Ok(json!({ "labs": engine.labs().list()?.len() }))
}

fn lab(dir: &Path, machines: usize) -> Result<Value, Box<dyn Error>> {
    let engine = Engine::open(Dirs { data: dir.to_owned(), config: dir.join("no-settings"), state: dir.join("state") })?;
    engine.labs().save(&lab_of(machines), dir, None)?;
    Ok(json!({ "machines": machines }))
}

/// Each machine written out: replicas would spare most of the reading and checking.
fn lab_of(count: usize) -> String {
    let mut text = "version: 1\nname: bench\ndefaults: { image: debian-12, memory: 512 MiB }\nnetworks:\n".to_owned();
    let networks = count.div_ceil(50);
    for n in 0..networks {
        let _ = writeln!(text, "  net-{n}: {{ mode: isolated, cidr: 10.{}.{}.0/24 }}", 64 + n / 250, n % 250);
    }
    text.push_str("machines:\n");
    for i in 0..count {
        let network = i % networks;
        let _ = write!(
            text,
            "  m-{i:04}:
    description: Machine {i} of the lab
    vcpus: 2
    memory: 1 GiB
    disks: {{ data: 10 GiB }}
    nics: [ net-{network}, {{ network: net-{}, address: 10.{}.{}.{} }} ]
    packages: [ nginx, python3 ]
    cloud_config:
      write_files:
        - {{ path: /etc/number, content: \"{i}\\n\" }}
    ansible:
      - name: Greet
        copy: {{ dest: /etc/motd, content: \"This is machine {i}.\\n\" }}
      - name: Serve
        service: {{ name: nginx, state: started, enabled: true }}
",
            (network + 1) % networks,
            64 + (network + 1) % networks / 250,
            (network + 1) % networks % 250,
            10 + i / networks,
        );
        if i >= networks {
            let _ = writeln!(text, "    depends_on: [ m-{network:04} ]");
        }
    }
    text
}

fn check(count: usize, rounds: usize) -> Result<Value, Box<dyn Error>> {
    let text = lab_of(count);
    let image = ImageFacts { virtual_size: Size::gib(2), uefi: Some(true) };
    let surroundings = Surroundings {
        images: Some(BTreeMap::from([("debian-12".into(), image)])),
        hosts: Some(BTreeSet::from(["local".into()])),
        files: BTreeMap::new(),
    };
    // Making keys is no part of it: they are made once in a lab's life.
    let key = ssh::generate_key()?;
    let mut context = Context {
        host: "local".into(),
        libvirt_uri: "qemu:///system".into(),
        pool: "vlm".into(),
        domain_type: DomainType::Kvm,
        base_volumes: BTreeMap::from([("debian-12".into(), format!("{}.qcow2", "0".repeat(64)))]),
        host_keys: BTreeMap::new(),
        lab_key: key.public.clone(),
        uefi: None,
        ssh_ports: Default::default(),
        lab_dir: "/labs/bench".into(),
    };
    // The first round also reads the embedded schemas; a `vlm plan` pays for that each time, so it is told apart.
    let (mut ours, mut plain, mut parts) = (Vec::new(), Vec::new(), [Vec::new(), Vec::new(), Vec::new()]);
    let mut processor = Vec::new();
    for round in 0..=rounds {
        let (begun, processor_begun) = (Instant::now(), processor_ms()?);
        let checked = file::check(&text, &surroundings);
        let checked_at = begun.elapsed();
        let lab =
            checked.lab.filter(|_| checked.problems.is_empty()).ok_or_else(|| format!("{:?}", checked.problems.first()))?;
        let machines = lab.machines();
        if round == 0 {
            context.host_keys = machines.iter().map(|machine| (machine.name.clone(), key.clone())).collect();
        }
        let rendering = Instant::now();
        let terraform = render::terraform::terraform(&lab, &machines, &context);
        let terraform_took = rendering.elapsed();
        let ansible = render::ansible::ansible(&lab, &machines, &context);
        let ansible_took = rendering.elapsed() - terraform_took;
        ours.push(begun.elapsed());
        processor.push(processor_ms()? - processor_begun);
        for (part, took) in parts.iter_mut().zip([checked_at, terraform_took, ansible_took]) {
            part.push(took.as_secs_f64() * 1e3);
        }
        if machines.len() != count || terraform.is_empty() || ansible.is_empty() {
            return Err("the lab was not rendered".into());
        }
        let begun = Instant::now();
        let tree: Value = serde_saphyr::from_str(&text)?;
        plain.push(begun.elapsed());
        drop(tree);
    }
    let ms = |times: &[std::time::Duration]| times.iter().map(|time| time.as_secs_f64() * 1e3).collect::<Vec<_>>();
    let [check, terraform, ansible] = parts;
    Ok(json!({
        "bytes": text.len(), "first_ms": ms(&ours[..1])[0], "ours_ms": ms(&ours[1..]), "plain_ms": ms(&plain[1..]),
        "processor_ms": processor[1..],
        "check_ms": check[1..], "terraform_ms": terraform[1..], "ansible_ms": ansible[1..],
    }))
}

/// How long this thread has been on a processor: what others take on a busy machine does not count.
fn processor_ms() -> Result<f64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split(' ').next().unwrap_or_default().parse::<u64>()? as f64 / 1e6)
}

/// What a run says, in the proportions of a deploy with Ansible.
fn body(i: usize) -> EventBody {
    let address = || Some(format!("10.77.{}.{}", i / 250 % 250, i % 250));
    match i % 8 {
        0 => EventBody::Phase { phase: Phase::Ssh, address: address() },
        1 | 2 => EventBody::Task { task: format!("Install and start service {}", i % 100), outcome: TaskOutcome::Started },
        3 | 4 => EventBody::Task { task: format!("Install and start service {}", i % 100), outcome: TaskOutcome::Changed },
        5 => EventBody::Resource {
            address: format!("libvirt_domain.machine[\"web-{}\"]", i % 1000),
            action: "create".into(),
            state: ResourceState::Done,
            seconds: 3,
        },
        6 => EventBody::step("configuring with Ansible"),
        _ => EventBody::Log {
            source: "ansible".into(),
            text: "PLAY RECAP: web-1 : ok=12 changed=7 unreachable=0 failed=0 skipped=3 rescued=0".into(),
        },
    }
}

fn events(dir: &Path, count: usize) -> Result<Value, Box<dyn Error>> {
    fs::create_dir_all(dir)?;
    let bodies: Vec<EventBody> = (0..count).map(body).collect();
    let texts: Vec<String> = bodies.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;

    let store = Store::open(&dir.join("ours.sqlite3"))?;
    let run = store.begin_run("bench", RunKind::Deploy, 1)?;
    let journal = Journal::new(store.clone(), run);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let begun = Instant::now();
    for (i, body) in bodies.into_iter().enumerate() {
        journal.say_of(if i % 2 == 0 { "web-1" } else { "db" }, body);
    }
    let said = begun.elapsed();
    runtime.block_on(journal.flush());
    let stored = begun.elapsed();
    let last = store.events(run, count as u32, 10)?;
    if last.len() != 1 {
        return Err(format!("the {count}th event is not in the store").into());
    }

    // The least that storing these rows can cost: the texts are there, and one transaction takes them all.
    let mut plain = Connection::open(dir.join("plain.sqlite3"))?;
    plain.pragma_update(None, "journal_mode", "WAL")?;
    plain.pragma_update(None, "synchronous", "NORMAL")?;
    plain.execute_batch(
        "CREATE TABLE run_events (run_id INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, machine TEXT, \
         body TEXT NOT NULL, PRIMARY KEY (run_id, seq)) STRICT, WITHOUT ROWID;",
    )?;
    let begun = Instant::now();
    let tx = plain.transaction()?;
    {
        let mut insert = tx.prepare("INSERT INTO run_events (run_id, seq, at, machine, body) VALUES (?1, ?2, ?3, ?4, ?5)")?;
        for (i, text) in texts.iter().enumerate() {
            insert.execute(params![1, i as i64 + 1, 0, if i % 2 == 0 { "web-1" } else { "db" }, text])?;
        }
    }
    tx.commit()?;
    let plain_stored = begun.elapsed();
    let per_second = |took: Duration| count as f64 / took.as_secs_f64();
    Ok(json!({ "ours": per_second(stored), "said": per_second(said), "plain": per_second(plain_stored) }))
}

/// What a run says that is under way, while somebody looks.
fn run(dir: &Path, rate: usize, seconds: usize, machines: usize) -> Result<Value, Box<dyn Error>> {
    const SLICES: usize = 100; // of a second
    let store = Store::open(&dir.join("vlm.sqlite3"))?;
    // Who has the lab's lock is at work.
    fs::create_dir_all(dir.join("locks"))?;
    let mut lock = fs::File::create(dir.join("locks/bench.lock"))?;
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive)?;
    std::io::Write::write_all(&mut lock, std::process::id().to_string().as_bytes())?;
    let run = store.begin_run("bench", RunKind::Deploy, 1)?;
    let journal = Journal::new(store.clone(), run);
    println!("{}", json!({ "run": run.0 }));
    std::io::stdin().read_line(&mut String::new())?;
    let begun = Instant::now();
    let mut said = 0;
    for slice in 1..=SLICES * seconds {
        while said < slice * rate / SLICES {
            match machines {
                0 => journal
                    .say(EventBody::Log { source: "ansible".into(), text: format!("line {said} of a playbook's output: ok") }),
                _ => journal.say_of(&format!("m-{:04}", said % machines), body(said)),
            }
            said += 1;
        }
        let until = begun + Duration::from_secs(1) * slice as u32 / SLICES as u32;
        std::thread::sleep(until.saturating_duration_since(Instant::now()));
    }
    let took = begun.elapsed();
    journal.say(EventBody::step("that was all"));
    tokio::runtime::Builder::new_current_thread().build()?.block_on(journal.flush());
    store.end_run(run, RunStatus::Done, "that was all")?;
    Ok(json!({ "said": said, "seconds": took.as_secs_f64() }))
}

/// How long the relay keeps what it is given, in each direction.
const ONE_WAY: Duration = Duration::from_millis(10);

fn domains(dir: &Path, socket: &Path, count: usize) -> Result<Value, Box<dyn Error>> {
    let mut text = "<node>".to_owned();
    for i in 0..count {
        let _ = write!(
            text,
            "<domain type='test'><name>d{i:04}</name><uuid>00000000-0000-4000-8000-{i:012}</uuid><memory>1024</memory>
             <os><type>hvm</type></os></domain>"
        );
    }
    let (file, relay) = (dir.join("world.xml"), dir.join("relay"));
    fs::create_dir_all(dir)?;
    fs::write(&file, text + "</node>")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let result = runtime.block_on(async {
        let listener = tokio::net::UnixListener::bind(&relay)?;
        let socket = socket.to_owned();
        tokio::spawn(async move {
            while let Ok((ours, _)) = listener.accept().await {
                if let Ok(theirs) = UnixStream::connect(&socket).await {
                    let ((from_us, to_us), (from_them, to_them)) = (ours.into_split(), theirs.into_split());
                    tokio::spawn(delayed(from_us, to_them));
                    tokio::spawn(delayed(from_them, to_us));
                }
            }
        });
        let target = Target::TestFile { file, socket: Some(relay.clone()) };
        let connection = libvirt::Connection::open(&target).await?;
        let begun = Instant::now();
        connection.version().await?;
        let round_trip = begun.elapsed();
        let begun = Instant::now();
        let listed = connection.domains().await?.len();
        let ours = begun.elapsed();

        // What a client does that knows no better: a list, and a question for each.
        let one_by_one = tokio::task::spawn_blocking(move || {
            let connect = virt::connect::Connect::open(Some(&target.uri()))?;
            let begun = Instant::now();
            let domains = connect.list_all_domains(0)?;
            for domain in &domains {
                domain.state()?;
            }
            Ok::<_, virt::error::Error>((domains.len(), begun.elapsed()))
        });
        let (asked, one_by_one) = one_by_one.await??;
        if (listed, asked) != (count, count) {
            return Err(format!("{listed} domains were listed, {asked} asked, of {count}").into());
        }
        let seconds = |took: Duration| took.as_secs_f64();
        let ratio = seconds(one_by_one) / seconds(ours);
        Ok::<_, Box<dyn Error>>(json!({
            "ours": seconds(ours), "one_by_one": seconds(one_by_one), "ratio": ratio, "round_trip": seconds(round_trip),
        }))
    });
    fs::remove_file(&relay)?;
    result
}

/// Passes on what it reads, each piece a while after it came: a long way, but not a narrow one.
async fn delayed(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let (sender, mut pieces) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some((at, piece)) = pieces.recv().await {
            let piece: Vec<u8> = piece;
            tokio::time::sleep_until(at).await;
            if to.write_all(&piece).await.is_err() {
                return;
            }
        }
    });
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        if sender.send((tokio::time::Instant::now() + ONE_WAY, buffer[..n].to_vec())).is_err() {
            return;
        }
    }
}

fn link(remote: Remote, port: u16) -> Result<(), Box<dyn Error>> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let kept = Kept::new(remote, Asker::default());
        kept.link().await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", json!({ "port": listener.local_addr()?.port() }));
        let serve = async {
            loop {
                let (mut client, _) = listener.accept().await?;
                client.set_nodelay(true)?;
                let kept = kept.clone();
                tokio::spawn(async move {
                    if let Ok(mut channel) = kept.tcp(([127, 0, 0, 1], port).into()).await {
                        ssh::join(&mut client, &mut channel).await;
                    }
                });
            }
        };
        let (reads, ended) = tokio::sync::oneshot::channel::<()>();
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            drop(reads);
        });
        tokio::select! {
            served = serve => served,
            _ = ended => Ok(()),
        }
    })
}
