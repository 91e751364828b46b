//! What the application asks of the engine and `vlm` does not: texts that are edited, canvases, templates, settings, the audit.

use std::{fs, path::PathBuf};

use tempfile::TempDir;
use vlm_engine::{
    Dirs, Engine, chain,
    download::Digest,
    export,
    labs::{Error, FirmwareKind},
    machines::PowerAction,
    settings::AppSettings,
    store::{Error as StoreError, Store, backups},
    templates,
};
use vlm_lab::problems::Severity;

struct World {
    dir: TempDir,
    engine: Engine,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let engine = open(&dir);
        World { dir, engine }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

fn open(dir: &TempDir) -> Engine {
    let at = |name: &str| dir.path().join(name);
    Engine::open(Dirs { data: at("data"), config: at("config"), state: at("state") }).unwrap()
}

const HELLO: &str = "\
# Two that greet
version: 1
name: hello   # of the lab
description: Two machines
networks:
  lan: { cidr: 10.77.1.0/24 }
machines:
  web:
    description: Serves
    image: debian-12
    replicas: 2
    firmware: uefi
    ports: { 8080: 80 }
    depends_on: [db]
  db: { image: debian-12, disk: 8 GiB, ansible: site.yaml }
";

#[test]
fn a_text_is_checked_without_being_saved() {
    let world = World::new();
    let checked = world.engine.labs().check_text(HELLO, None).unwrap();
    assert_eq!(checked.name.as_deref(), Some("hello"));
    let names: Vec<&str> = checked.machines.iter().map(|machine| machine.name.as_str()).collect();
    assert_eq!(names, ["web-1", "web-2", "db"]);
    let web = &checked.machines[1];
    assert_eq!((web.spec.as_str(), web.description.as_deref(), web.firmware), ("web", Some("Serves"), FirmwareKind::Uefi));
    assert_eq!((web.disk.as_str(), web.memory_mib, web.user.as_str()), ("4 GiB", 512, "lab"));
    assert_eq!((web.ports[0].local, web.ports[0].guest), (8081, 80), "a replica takes the next port up");
    assert!(web.nics[0].network == "lan" && web.nics[0].address.as_deref().is_some_and(|a| a.starts_with("10.77.1.")));
    assert_eq!(web.depends_on, ["db"]);
    let errors: Vec<&str> =
        checked.problems.iter().filter(|p| p.severity == Severity::Error).map(|p| p.message.as_str()).collect();
    assert!(errors.iter().any(|message| message.contains("site.yaml")), "{errors:?}");
    assert!(world.engine.labs().list().unwrap().is_empty());

    let broken = world.engine.labs().check_text("machines: [", None).unwrap();
    assert_eq!((broken.name, broken.machines.len()), (None, 0));
    assert!(broken.problems[0].place.is_some());
    let error = world.engine.labs().check_text(HELLO, Some("nobody")).unwrap_err();
    assert!(matches!(error, Error::Unknown(_)), "{error}");
}

#[test]
fn an_edited_lab_is_saved_over_the_revision_that_was_read_and_no_other() {
    let world = World::new();
    let labs = world.engine.labs();
    let saved = labs.save_text(HELLO, None, None, Some("{\"web\":[1,2]}")).unwrap();
    assert_eq!((saved.name.as_str(), saved.revision), ("hello", 1));
    let read = labs.document("hello").unwrap();
    assert_eq!((read.text.as_str(), read.revision, read.layout.as_deref()), (HELLO, 1, Some("{\"web\":[1,2]}")));
    let folder = world.path("data/designs/hello");
    assert_eq!(PathBuf::from(&read.dir), folder);
    assert_eq!(fs::read_to_string(folder.join("lab.yaml")).unwrap(), HELLO);

    let edited = HELLO.replace("Two machines", "Three machines");
    assert_eq!(labs.save_text(&edited, Some("hello"), Some(1), None).unwrap().revision, 2);
    let conflict = labs.save_text(HELLO, Some("hello"), Some(1), Some("lost")).unwrap_err();
    assert!(matches!(conflict, Error::Store(StoreError::Conflict { expected: 1, found: 2, .. })), "{conflict}");
    let read = labs.document("hello").unwrap();
    assert_eq!((read.text, read.layout.as_deref()), (edited.clone(), Some("{\"web\":[1,2]}")), "nothing of it was saved");
    assert_eq!(fs::read_to_string(folder.join("lab.yaml")).unwrap(), edited);

    // A node that is moved makes no revision, and no line in the audit.
    let lines = world.engine.audit(None, "", 100).unwrap().len();
    labs.save_layout("hello", "{\"web\":[3,4]}").unwrap();
    assert_eq!(labs.document("hello").unwrap().layout.as_deref(), Some("{\"web\":[3,4]}"));
    assert_eq!((labs.document("hello").unwrap().revision, world.engine.audit(None, "", 100).unwrap().len()), (2, lines));

    let listed = labs.list().unwrap().remove(0);
    assert_eq!((listed.description.as_deref(), listed.machines, listed.running), (Some("Three machines"), 3, 0));
    assert_eq!(listed.last_run, None);

    for (text, lab, refused) in [
        (HELLO.to_owned(), None, "there is a lab `hello` already; choose another name"),
        (
            HELLO.replace("name: hello", "name: other"),
            Some("hello"),
            "this is the lab `hello`, and its file says `other`; clone it to have it under another name",
        ),
        (HELLO.replace("name: hello", "name: ../../up"), None, "lab name `../../up` cannot be used; use lower-case letters"),
        (HELLO.replace("name: hello", "name: \"\""), None, "lab has an empty name"),
    ] {
        let error = labs.save_text(&text, lab, None, None).unwrap_err();
        assert!(error.to_string().starts_with(refused), "{error}");
    }

    labs.remove("hello").unwrap();
    assert!(!folder.exists());
}

#[test]
fn a_file_of_somebodys_stays_where_it_is() {
    let world = World::new();
    let file = world.path("mine.yaml");
    fs::write(&file, HELLO).unwrap();
    assert_eq!(world.engine.labs().import(&file).unwrap().name, "hello");
    let dir = fs::canonicalize(world.dir.path()).unwrap();
    assert_eq!(PathBuf::from(world.engine.labs().document("hello").unwrap().dir), dir);
    // What is edited here is not written over what is there.
    world.engine.labs().save_text(&HELLO.replace("Two", "2"), Some("hello"), Some(1), None).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), HELLO);
    assert!(!dir.join("lab.yaml").exists());
    // It is read again from where it lies, and a file of that name from elsewhere is another lab.
    fs::write(&file, HELLO.replace("Two", "Several")).unwrap();
    assert_eq!(world.engine.labs().import(&file).unwrap().revision, 3);
    let elsewhere = world.path("config/other.yaml");
    fs::create_dir_all(elsewhere.parent().unwrap()).unwrap();
    fs::write(&elsewhere, HELLO).unwrap();
    assert!(matches!(world.engine.labs().import(&elsewhere), Err(Error::Taken(_))));
    world.engine.labs().remove("hello").unwrap();
    assert!(file.exists());
    let out = world.path("out.yaml");
    assert!(export::export_file(&world.engine, "hello", &out).is_err());
}

#[test]
fn a_clone_has_another_name_and_all_the_rest() {
    let world = World::new();
    let labs = world.engine.labs();
    labs.save_text(HELLO, None, None, Some("canvas")).unwrap();
    fs::write(world.path("data/designs/hello/site.yaml"), "- hosts: all\n").unwrap();
    let cloned = labs.clone("hello", "hello-2").unwrap();
    assert_eq!((cloned.name.as_str(), cloned.revision), ("hello-2", 1));
    let read = labs.document("hello-2").unwrap();
    assert_eq!(read.text, HELLO.replace("name: hello ", "name: hello-2 "));
    assert_eq!(read.layout.as_deref(), Some("canvas"));
    assert_eq!(fs::read_to_string(world.path("data/designs/hello-2/site.yaml")).unwrap(), "- hosts: all\n");
    for (from, to, refused) in [
        ("hello", "hello-2", "there is a lab `hello-2` already; choose another name"),
        ("hello", "Hello", "lab name `Hello` cannot be used"),
        ("nobody", "x", "there is no lab `nobody`"),
    ] {
        let error = labs.clone(from, to).unwrap_err();
        assert!(error.to_string().starts_with(refused), "{error}");
    }
    // Its folder holds more than we wrote, so it stays.
    labs.remove("hello-2").unwrap();
    assert!(world.path("data/designs/hello-2/site.yaml").exists());
}

#[test]
fn what_a_deploy_would_write_is_shown_without_keys() {
    let world = World::new();
    world.engine.labs().save_text(HELLO, None, None, None).unwrap();
    let files = export::files(&world.engine, "hello").unwrap();
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    for path in [
        "local/terraform/main.tf",
        "local/terraform/terraform.tfvars.json",
        "local/cloud-init/web-2/user-data",
        "ansible/inventory.yaml",
        "ansible/plays/db.yaml",
    ] {
        assert!(paths.contains(&path), "{path} is not in {paths:?}");
    }
    for file in &files {
        assert!(!file.text.contains("PRIVATE KEY") && !file.text.contains("ssh-ed25519 "), "{}", file.path);
    }
    assert!(!world.path("data/labs/hello").exists(), "looking makes nothing");
    let ports = world.engine.ports().list("hello").unwrap();
    let shown: Vec<_> =
        ports.iter().map(|port| (port.local, port.machine.as_str(), port.guest, port.published, port.open)).collect();
    assert_eq!(shown, [(8080, "web-1", 80, true, false), (8081, "web-2", 80, true, false)]);
}

#[tokio::test]
async fn a_machine_of_a_design_is_shown_and_has_no_power() {
    let world = World::new();
    world.engine.labs().save_text(HELLO, None, None, None).unwrap();
    let machines = world.engine.machines();
    let web = machines.details("hello", "web-2").await.unwrap();
    assert_eq!((web.state, web.xml, web.started, web.unknown), (None, None, None, None));
    assert_eq!(web.ssh_command, "vlm ssh hello/web-2");
    assert!(web.cloud_init.is_some_and(|text| text.contains("web-2") && !text.contains("ssh_keys")));
    assert_eq!((web.disks[0].name.as_str(), web.disks[0].size.as_str()), ("system", "4 GiB"));
    assert_eq!(web.ports.iter().map(|port| port.local).collect::<Vec<_>>(), [8081]);
    let db = machines.details("hello", "db").await.unwrap();
    assert!(db.ansible.is_some_and(|play| play.contains("site.yaml")));
    let error = machines.details("hello", "../web").await.unwrap_err();
    assert_eq!(error.to_string(), "lab `hello` has no machine `../web`");
    let error = machines.power("hello", &["db".into()], PowerAction::Start).await.unwrap_err();
    assert!(error.is_refusal() && error.to_string().starts_with("lab `hello` is not deployed"), "{error}");
    assert_eq!(machines.screenshot("hello", "db").await.unwrap(), None);
    assert_eq!(machines.serial("hello", "db", -1).unwrap().text, "");
    assert!(machines.serial("hello", "../../vlm", -1).is_err());
    let mut usage = machines.follow_usage("hello").await.unwrap();
    assert_eq!(usage.next().await, Some(Vec::new()), "first what is remembered");
    assert_eq!(usage.next().await, None, "nothing of it is on a host");
}

#[test]
fn templates_that_come_with_us_are_labs_without_errors() {
    let world = World::new();
    for template in world.engine.templates().list() {
        let checked = world.engine.labs().check_text(&template.text, None).unwrap();
        let wrong: Vec<_> = checked.problems.iter().filter(|problem| problem.severity == Severity::Error).collect();
        assert!(wrong.is_empty(), "{}: {wrong:?}", template.id);
        assert!(!template.own && template.machines > 0, "{}", template.id);
        assert!(!template.description.is_empty(), "{}: its `description` says what it is for", template.id);
    }
}

#[test]
fn templates_of_ones_own_are_kept_as_files() {
    let world = World::new();
    let templates = world.engine.templates();
    let ours = templates.list().len();
    let saved = templates.save(" Zwei, die grüßen ", HELLO).unwrap();
    assert_eq!((saved.id.as_str(), saved.title.as_str()), ("own-zwei-die-grüßen", "Zwei, die grüßen"));
    assert_eq!((saved.machines, saved.networks, saved.own, saved.text.as_str()), (3, 1, true, HELLO));
    // One that somebody put there, and one that is no lab.
    let dir = world.path("config/templates");
    fs::write(dir.join("by-hand.yaml"), HELLO).unwrap();
    fs::write(dir.join("broken.yaml"), "name: [").unwrap();
    let own: Vec<_> = templates.list().split_off(ours).into_iter().map(|template| (template.id, template.title)).collect();
    let expected = [("own-by-hand", "By hand"), ("own-zwei-die-grüßen", "Zwei, die grüßen")];
    assert_eq!(own, expected.map(|(id, title)| (id.to_owned(), title.to_owned())));
    for (title, text, refused) in [
        ("zwei die grüßen", HELLO, "there is a template `zwei die grüßen` already"),
        ("../..", HELLO, "`../..` is no title for a template"),
        ("", HELLO, "`` is no title for a template"),
        ("Fine", "version: 1", "this makes no lab: "),
    ] {
        let error = templates.save(title, text).unwrap_err();
        assert!(error.to_string().starts_with(refused), "{error}");
    }
    assert!(matches!(templates.remove("own-../../settings"), Err(templates::Error::Unknown(_))));
    templates.remove(&saved.id).unwrap();
    assert_eq!(templates.list().len(), ours + 1);
}

#[test]
fn settings_are_written_beside_what_else_the_file_says() {
    let world = World::new();
    let file = world.path("config/settings.toml");
    assert_eq!(
        world.engine.read_settings().unwrap(),
        AppSettings { path: file.display().to_string(), ..AppSettings::default() }
    );
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "# Mine\nlog = \"debug\"   # while I look\n\n# Not more\nstarts_at_once = 4\nready_limit_s = 600\n")
        .unwrap();
    let before = world.engine.read_settings().unwrap();
    assert_eq!((before.log.as_deref(), before.starts_at_once, before.ready_limit_s), (Some("debug"), Some(4), Some(600)));
    let after = AppSettings { log: Some("warn".into()), ready_limit_s: None, pool: Some("labs".into()), ..before.clone() };
    world.engine.save_settings(&after).unwrap();
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        "# Mine\nlog = \"warn\"   # while I look\n\n# Not more\nstarts_at_once = 4\npool = \"labs\"\n"
    );
    assert_eq!(world.engine.read_settings().unwrap(), after);
    assert_eq!(world.engine.audit(None, "", 1).unwrap()[0].detail, "pool, ready_limit_s, log");
    for (wrong, said) in [
        (
            AppSettings { terraform: Some("terraform".into()), ..after.clone() },
            "`terraform` is no full path; begin `terraform` with /",
        ),
        (AppSettings { pool: Some("a'b".into()), ..after.clone() }, "`a'b` is no name for a pool"),
        (AppSettings { starts_at_once: Some(0), ..after.clone() }, "`starts_at_once` is 0"),
        (AppSettings { log: Some("loud".into()), ..after.clone() }, "`loud` is no level"),
    ] {
        let error = world.engine.save_settings(&wrong).unwrap_err();
        assert!(error.to_string().starts_with(said), "{error}");
    }
    assert_eq!(world.engine.read_settings().unwrap(), after);
    // A file that somebody broke meanwhile is left to them.
    fs::write(&file, "pol = \"x\"\n").unwrap();
    assert!(world.engine.save_settings(&after).is_err());
    assert_eq!(fs::read_to_string(&file).unwrap(), "pol = \"x\"\n");
}

#[test]
fn the_audit_is_searched_in_all_its_columns_and_written_as_a_table() {
    let world = World::new();
    world.engine.labs().save_text(HELLO, None, None, None).unwrap();
    world.engine.labs().save_text(&HELLO.replace("Two machines", "Three"), Some("hello"), None, None).unwrap();
    world.engine.labs().clone("hello", "copy").unwrap();
    let lines = |lab: Option<&str>, text: &str| -> Vec<u32> {
        world.engine.audit(lab, text, 100).unwrap().into_iter().map(|row| row.line).collect()
    };
    assert_eq!(lines(None, ""), [3, 2, 1]);
    assert_eq!(lines(None, "COPY"), [3]);
    assert_eq!(lines(None, "revision 2"), [2]);
    assert_eq!(lines(None, "save_lab"), [3, 2, 1]);
    assert_eq!(lines(None, "%"), [0; 0], "it is no pattern");
    assert_eq!(lines(Some("hello"), "revision"), [2, 1]);
    let at = world.engine.audit(None, "", 1).unwrap()[0].at.clone();
    assert!(lines(None, &at).contains(&3));
    let table = world.path("audit.csv");
    world.engine.export_audit(&table).unwrap();
    let text = fs::read_to_string(table).unwrap();
    let rows: Vec<&str> = text.split_terminator("\r\n").collect();
    assert_eq!(rows[0], "line,at,who,action,object,detail");
    assert!(rows[2].starts_with("2,\"") && rows[2].ends_with(",\"save_lab\",\"hello\",\"revision 2\""), "{}", rows[2]);
    assert_eq!(rows.len(), 4);
    assert!(backups::check_audit(&world.engine.dirs().database()).unwrap().misfit.is_none());
}

#[test]
fn a_copy_is_put_back_while_the_application_goes_on() {
    let world = World::new();
    world.engine.labs().save_text(HELLO, None, None, None).unwrap();
    let copy = world.engine.backup(None).unwrap();
    world.engine.labs().clone("hello", "later").unwrap();
    let kept = world.engine.restore(&copy.path).unwrap().expect("there was a database");
    assert!(kept.exists());
    let names = |engine: &Engine| -> Vec<String> { engine.labs().list().unwrap().into_iter().map(|lab| lab.name).collect() };
    assert_eq!(names(&world.engine), ["hello"]);
    assert_eq!(world.engine.audit(None, "", 1).unwrap()[0].action, "restore");
    // It can be written to, and what is in the way of a restore leaves all as it is.
    world.engine.labs().clone("hello", "again").unwrap();
    let other = Store::open(&world.engine.dirs().database()).unwrap();
    let error = world.engine.restore(&copy.path).unwrap_err();
    assert!(chain(&error).contains("the database is open in"), "{}", chain(&error));
    drop(other);
    assert_eq!(names(&world.engine), ["again", "hello"]);
    let World { dir, engine } = world;
    drop(engine);
    assert_eq!(names(&open(&dir)), ["again", "hello"]);
}

#[test]
fn the_catalog_says_how_each_image_is_verified() {
    let world = World::new();
    let hex = "0".repeat(64);
    fs::create_dir_all(world.path("config")).unwrap();
    fs::write(
        world.path("config/catalog.toml"),
        format!("[mine]\ntitle = \"Mine\"\nurl = \"https://example.org/d.img\"\nsha256 = \"{hex}\"\n"),
    )
    .unwrap();
    let entries = world.engine.images().catalog_entries().unwrap();
    let of = |name: &str| entries.iter().find(|entry| entry.name == name).unwrap();
    assert_eq!((of("mine").verified_by.as_str(), of("mine").own, of("mine").here), ("sha256", true, false));
    assert!(of("debian-12").recipe && !of("debian-12").own && of("debian-12").verified_by.starts_with("published sha"));
    let digest: Digest = hex.parse().unwrap();
    let images = world.engine.images();
    assert!(images.entry("mine", None, None).is_ok());
    assert!(images.entry("nobody", None, None).is_err());
    assert!(images.entry("x", Some("file:///etc/passwd"), Some(digest.clone())).is_err());
    assert_eq!(
        images.entry("x", Some("https://example.org/a.img"), Some(digest)).unwrap().url.as_str(),
        "https://example.org/a.img"
    );
}
