//! libvirt's events: one loop for the process, what it tells about each connection, and when to look again.
//!
//! What a callback is given is a number and no pointer: whatever libvirt still calls after a connection is gone finds nobody
//! under its number.
#![allow(unsafe_code)]

use std::{
    collections::BTreeMap,
    ffi::{c_int, c_void},
    mem, ptr,
    sync::{
        Arc, Mutex, Once, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};
use tokio_util::sync::CancellationToken;
use virt::{connect::Connect, event, sys};

/// How close together two looks may be: what happens at once is seen at once.
const LOOKS_APART: Duration = Duration::from_millis(50);

/// Runs libvirt's event loop for as long as the process lives. To be called before the first connection is opened: those that
/// are older have no events.
pub(super) fn start_loop() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        event::event_register_default_impl().expect("an event loop can be registered before any connection is open");
        let run = || {
            loop {
                if event::event_run_default_impl().is_err() {
                    // It has no memory or no descriptors left: others may give some back.
                    thread::sleep(Duration::from_millis(100));
                }
            }
        };
        thread::Builder::new().name("libvirt-events".into()).spawn(run).expect("a thread can be started");
    });
}

/// Whether a connection has ended, and why. Clones tell of the same connection.
#[derive(Debug, Clone, Default)]
pub(super) struct End {
    ended: CancellationToken,
    why: Arc<OnceLock<String>>,
}

impl End {
    /// Marks it as ended; the first reason stays.
    pub(super) fn mark(&self, why: impl Into<String>) {
        let why = why.into();
        if self.why.set(why.clone()).is_ok() {
            log::info!("a connection to libvirt ended: {why}");
        }
        self.ended.cancel();
    }

    /// Whether it has ended.
    pub(super) fn has_come(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// Waits for the end, and says why it came.
    pub(super) async fn come(&self) -> &str {
        self.ended.cancelled().await;
        self.why.get().expect("a reason comes before the mark")
    }
}

struct Listener {
    changes: watch::Sender<u64>,
    end: End,
}

static LISTENERS: Mutex<BTreeMap<usize, Listener>> = Mutex::new(BTreeMap::new());

/// A connection, and what libvirt tells of it until this is dropped. Making and dropping it ask the daemon, and block.
pub(super) struct Registered {
    pub(super) connect: Connect,
    number: usize,
    domains: c_int,
    networks: c_int,
    pools: c_int,
}

impl Registered {
    /// Counts `changes` up whenever something happens on the host, and marks `end` when the connection ends. Drivers that tell
    /// nothing are fine.
    pub(super) fn new(connect: Connect, changes: watch::Sender<u64>, end: End) -> Registered {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        LISTENERS.lock().unwrap_or_else(PoisonError::into_inner).insert(number, Listener { changes, end });
        let opaque = ptr::without_provenance_mut::<c_void>(number);
        // SAFETY: the connection is open, as `connect` holds a reference. The callbacks are functions, of the types that libvirt
        // calls for these event numbers; it keeps them as the general type, as its own VIR_DOMAIN_EVENT_CALLBACK does. `opaque`
        // is a number that is never followed as a pointer, so that it needs no freeing and cannot dangle.
        let (domains, networks, pools) = unsafe {
            let conn = connect.as_ptr();
            sys::virConnectRegisterCloseCallback(conn, Some(closed), opaque, None);
            let domains = sys::virConnectDomainEventRegisterAny(
                conn,
                ptr::null_mut(),
                sys::VIR_DOMAIN_EVENT_ID_LIFECYCLE as c_int,
                mem::transmute::<sys::virConnectDomainEventCallback, sys::virConnectDomainEventGenericCallback>(Some(domain)),
                opaque,
                None,
            );
            let networks = sys::virConnectNetworkEventRegisterAny(
                conn,
                ptr::null_mut(),
                sys::VIR_NETWORK_EVENT_ID_LIFECYCLE as c_int,
                mem::transmute::<sys::virConnectNetworkEventLifecycleCallback, sys::virConnectNetworkEventGenericCallback>(
                    Some(network),
                ),
                opaque,
                None,
            );
            let pools = sys::virConnectStoragePoolEventRegisterAny(
                conn,
                ptr::null_mut(),
                sys::VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE as c_int,
                mem::transmute::<
                    sys::virConnectStoragePoolEventLifecycleCallback,
                    sys::virConnectStoragePoolEventGenericCallback,
                >(Some(pool)),
                opaque,
                None,
            );
            (domains, networks, pools)
        };
        Registered { connect, number, domains, networks, pools }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        LISTENERS.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
        // SAFETY: the connection is still referenced by `connect`; the numbers are those that libvirt gave us for it, and are
        // given back once. Each registration holds a reference to the connection, without which it would never be closed. That
        // a dead connection says no is fine: the local half is done by then.
        unsafe {
            let conn = self.connect.as_ptr();
            if self.domains >= 0 {
                sys::virConnectDomainEventDeregisterAny(conn, self.domains);
            }
            if self.networks >= 0 {
                sys::virConnectNetworkEventDeregisterAny(conn, self.networks);
            }
            if self.pools >= 0 {
                sys::virConnectStoragePoolEventDeregisterAny(conn, self.pools);
            }
            sys::virConnectUnregisterCloseCallback(conn, Some(closed));
        }
    }
}

fn with_listener(opaque: *mut c_void, f: impl FnOnce(&Listener)) {
    if let Some(listener) = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner).get(&opaque.addr()) {
        f(listener);
    }
}

fn changed(opaque: *mut c_void) {
    with_listener(opaque, |listener| listener.changes.send_modify(|count| *count += 1));
}

extern "C" fn domain(_: sys::virConnectPtr, _: sys::virDomainPtr, _: c_int, _: c_int, opaque: *mut c_void) -> c_int {
    changed(opaque);
    0
}

extern "C" fn network(_: sys::virConnectPtr, _: sys::virNetworkPtr, _: c_int, _: c_int, opaque: *mut c_void) {
    changed(opaque);
}

extern "C" fn pool(_: sys::virConnectPtr, _: sys::virStoragePoolPtr, _: c_int, _: c_int, opaque: *mut c_void) {
    changed(opaque);
}

extern "C" fn closed(_: sys::virConnectPtr, reason: c_int, opaque: *mut c_void) {
    let why = match reason as sys::virConnectCloseReason {
        sys::VIR_CONNECT_CLOSE_REASON_EOF => "its daemon, or the way to it, ended",
        _ => "the way to its daemon broke",
    };
    with_listener(opaque, |listener| {
        listener.end.mark(why);
        listener.changes.send_modify(|count| *count += 1);
    });
}

/// When to look at a host again: at once, whenever it tells of a change, and after a while in any case.
pub struct Looks {
    changes: watch::Receiver<u64>,
    at_most_apart: Duration,
    last: Option<Instant>,
}

impl Looks {
    pub(super) fn new(changes: watch::Receiver<u64>, at_most_apart: Duration) -> Looks {
        Looks { changes, at_most_apart, last: None }
    }

    /// Waits until it is time. What changes while the caller looks makes it look once more.
    pub async fn next(&mut self) {
        if let Some(last) = self.last {
            let by = last + self.at_most_apart;
            if !matches!(timeout_at(by, self.changes.changed()).await, Ok(Ok(()))) {
                sleep_until(by).await; // nothing changed, or nobody is left who could tell
            }
            sleep_until(last + LOOKS_APART).await;
        }
        self.changes.mark_unchanged();
        self.last = Some(Instant::now());
    }
}
