//! What libvirt knows of all domains, in one question: a list and then a question for each would take as many round trips.
#![allow(unsafe_code)]

use std::{
    ffi::{CStr, c_char, c_int},
    ptr, slice,
};

use virt::{connect::Connect, error::Error, sys};

use super::{Domain, domain_state};

/// All domains, with their states.
pub(super) fn domains(connect: &Connect) -> Result<Vec<Domain>, Error> {
    let mut records: *mut sys::virDomainStatsRecordPtr = ptr::null_mut();
    // SAFETY: the connection is open, as `connect` holds a reference; libvirt writes a list of its own to `records`.
    let count = unsafe { sys::virConnectGetAllDomainStats(connect.as_ptr(), sys::VIR_DOMAIN_STATS_STATE, &mut records, 0) };
    let Ok(count) = usize::try_from(count) else { return Err(Error::last_error()) };
    if records.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: libvirt says that `count` records are there, none of them null, until the list is freed.
    let domains = unsafe { slice::from_raw_parts(records, count).iter().filter_map(|record| domain(&**record)).collect() };
    // SAFETY: the list came from the call above, is freed once, and nothing points into it any more.
    unsafe { sys::virDomainStatsRecordListFree(records) };
    Ok(domains)
}

/// One that ended while it was asked has no state, and is not there.
fn domain(record: &sys::virDomainStatsRecord) -> Option<Domain> {
    let mut state: c_int = 0;
    let mut uuid = [0 as c_char; sys::VIR_UUID_STRING_BUFLEN as usize];
    // SAFETY: the record is whole until its list is freed. The handle knows name and UUID by itself, both end in a zero, and the
    // UUID has the length that libvirt asks room for; both are copied before anything is freed.
    let (name, uuid) = unsafe {
        if sys::virTypedParamsGetInt(record.params, record.nparams, c"state.state".as_ptr(), &mut state) != 1
            || sys::virDomainGetUUIDString(record.dom, uuid.as_mut_ptr()) != 0
        {
            return None;
        }
        let name = sys::virDomainGetName(record.dom);
        if name.is_null() {
            return None;
        }
        (CStr::from_ptr(name), CStr::from_ptr(uuid.as_ptr()))
    };
    let text = |text: &CStr| text.to_string_lossy().into_owned();
    Some(Domain { name: text(name), uuid: text(uuid), state: domain_state(state as sys::virDomainState) })
}
