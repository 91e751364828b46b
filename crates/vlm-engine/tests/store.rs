//! What the store promises: revisions, events in order, a journal that tells what is half done.

use vlm_engine::{
    journal::{Journal, StepState},
    runs::{EventBody, RunKind, RunStatus},
    store::{Error, LabState, LabToSave, Store},
};

fn lab(document: &str) -> LabToSave<'_> {
    LabToSave { name: "hello", document, dir: "/labs", machine_count: 2, hosts: "local", description: None }
}

#[test]
fn a_save_counts_revisions_and_refuses_an_old_one() {
    let store = Store::in_memory().unwrap();
    assert_eq!(store.save_lab(&lab("one"), None).unwrap(), 1);
    assert_eq!(store.save_lab(&lab("one"), Some(1)).unwrap(), 1, "an unchanged document is no new revision");
    assert_eq!(store.save_lab(&lab("two"), Some(1)).unwrap(), 2);
    let conflict = store.save_lab(&lab("three"), Some(1)).unwrap_err();
    assert!(matches!(conflict, Error::Conflict { expected: 1, found: 2, .. }), "{conflict}");
    let row = store.lab("hello").unwrap().unwrap();
    assert_eq!((row.document.as_str(), row.state), ("two", LabState::Designed));
    let audit: Vec<String> = store
        .audit_rows(None, "", 10)
        .unwrap()
        .into_iter()
        .map(|row| format!("{} {} {}", row.action, row.object, row.detail))
        .collect();
    assert_eq!(audit, ["save_lab hello revision 2", "save_lab hello revision 1"]);
}

#[tokio::test]
async fn events_are_stored_in_order_and_followed_live() {
    let store = Store::in_memory().unwrap();
    let run = store.begin_run("hello", RunKind::Deploy, 1).unwrap();
    let journal = Journal::new(store.clone(), run);
    let mut live = journal.follow();
    for i in 0..1000 {
        journal.say_of("web", EventBody::step(format!("step {i}")));
    }
    journal.flush().await;
    let stored = store.events(run, 1, u32::MAX).unwrap();
    assert_eq!(stored.len(), 1000);
    assert!(stored.iter().enumerate().all(|(i, event)| event.seq == i as u32 + 1));
    assert_eq!(store.events(run, 999, 10).unwrap(), stored[998..]);
    assert_eq!(live.try_recv().unwrap(), stored[0]);
}

#[tokio::test]
async fn the_journal_tells_what_was_begun_and_not_ended() {
    let store = Store::in_memory().unwrap();
    let run = store.begin_run("hello", RunKind::Deploy, 1).unwrap();
    let journal = Journal::new(store.clone(), run);
    journal.step("apply/local", async { Ok::<_, Error>(()) }).await.unwrap();
    let failed = journal.step("start/web", async { Err::<(), _>(Error::TooNew { found: 2, known: 1 }) }).await;
    assert!(failed.is_err());
    // A step that is cut off: polled once, then dropped, as when the process dies.
    let cut_off = journal.step("start/db", std::future::pending::<Result<(), Error>>());
    assert!(tokio::time::timeout(std::time::Duration::ZERO, cut_off).await.is_err());
    let steps: Vec<_> = store.journal_of(run).unwrap().into_iter().map(|record| (record.step, record.state)).collect();
    let expected = [
        ("apply/local", StepState::Begun),
        ("apply/local", StepState::Done),
        ("start/web", StepState::Begun),
        ("start/web", StepState::Failed),
        ("start/db", StepState::Begun),
    ];
    assert_eq!(steps, expected.map(|(step, state)| (step.to_owned(), state)));
    store.end_run(run, RunStatus::Failed, "web is stuck").unwrap();
    assert_eq!(store.runs("hello", 1).unwrap()[0].sentence, "web is stuck");
}
