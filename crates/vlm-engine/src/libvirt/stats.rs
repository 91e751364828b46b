//! What libvirt knows of all domains, in one question: a list and then a question for each would take as many round trips.
#![allow(unsafe_code)]

use std::{
    collections::BTreeMap,
    ffi::{CStr, c_char, c_int, c_uint},
    ptr, slice,
};

use virt::{connect::Connect, error::Error, sys};

use super::{Domain, Measured, domain_state};

/// All domains, with their states.
pub(super) fn domains(connect: &Connect) -> Result<Vec<Domain>, Error> {
    records(connect, sys::VIR_DOMAIN_STATS_STATE, 0, domain)
}

/// All domains with their sizes, and with what those that are on have used since they were powered on.
///
/// One that is at something else just now says less: nobody waits for it.
pub(super) fn measured(connect: &Connect) -> Result<Vec<Measured>, Error> {
    let groups = sys::VIR_DOMAIN_STATS_STATE
        | sys::VIR_DOMAIN_STATS_CPU_TOTAL
        | sys::VIR_DOMAIN_STATS_BALLOON
        | sys::VIR_DOMAIN_STATS_VCPU
        | sys::VIR_DOMAIN_STATS_INTERFACE
        | sys::VIR_DOMAIN_STATS_BLOCK;
    let measured = |record: &sys::virDomainStatsRecord| Some(Measured { domain: domain(record)?, numbers: numbers(record) });
    // Not every driver knows that one need not wait.
    records(connect, groups, sys::VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT, measured)
        .or_else(|_| records(connect, groups, 0, measured))
}

/// What `f` makes of the record of each domain.
fn records<T>(
    connect: &Connect,
    groups: c_uint,
    flags: c_uint,
    f: impl Fn(&sys::virDomainStatsRecord) -> Option<T>,
) -> Result<Vec<T>, Error> {
    let mut records: *mut sys::virDomainStatsRecordPtr = ptr::null_mut();
    // SAFETY: the connection is open, as `connect` holds a reference; libvirt writes a list of its own to `records`.
    let count = unsafe { sys::virConnectGetAllDomainStats(connect.as_ptr(), groups, &mut records, flags) };
    let Ok(count) = usize::try_from(count) else { return Err(Error::last_error()) };
    if records.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: libvirt says that `count` records are there, none of them null, until the list is freed.
    let found = unsafe { slice::from_raw_parts(records, count).iter().filter_map(|record| f(&**record)).collect() };
    // SAFETY: the list came from the call above, is freed once, and nothing points into it any more.
    unsafe { sys::virDomainStatsRecordListFree(records) };
    Ok(found)
}

/// The whole numbers of a record that are not negative, by libvirt's names.
fn numbers(record: &sys::virDomainStatsRecord) -> BTreeMap<String, u64> {
    let Ok(count) = usize::try_from(record.nparams) else { return BTreeMap::new() };
    if record.params.is_null() {
        return BTreeMap::new();
    }
    // SAFETY: libvirt says that `count` parameters are there, until the record's list is freed. A name ends in a zero, which libvirt
    // sees to; of the value the part is read that the type says is there.
    unsafe {
        let parameters = slice::from_raw_parts(record.params, count);
        let number = |parameter: &sys::virTypedParameter| {
            let name = CStr::from_ptr(parameter.field.as_ptr()).to_str().ok()?.to_owned();
            let value = match parameter.type_ as sys::virTypedParameterType {
                sys::VIR_TYPED_PARAM_INT => parameter.value.i.try_into().ok()?,
                sys::VIR_TYPED_PARAM_UINT => parameter.value.ui.into(),
                sys::VIR_TYPED_PARAM_LLONG => parameter.value.l.try_into().ok()?,
                sys::VIR_TYPED_PARAM_ULLONG => parameter.value.ul,
                _ => return None,
            };
            Some((name, value))
        };
        parameters.iter().filter_map(number).collect()
    }
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
