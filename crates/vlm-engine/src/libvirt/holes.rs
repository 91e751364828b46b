//! Holes in what is sent through a stream, which `virt` does not know.
#![allow(unsafe_code)]

use virt::{error::Error, stream::Stream, sys};

/// Leaves out the next `length` bytes: they are a hole at the other end, too. For a stream that was opened for that.
pub(super) fn send(stream: &Stream, length: u64) -> Result<(), Error> {
    // SAFETY: the stream is open, as `stream` holds a reference; nothing is kept beyond the call.
    let sent = unsafe { sys::virStreamSendHole(stream.as_ptr(), length.cast_signed(), 0) };
    if sent < 0 { Err(Error::last_error()) } else { Ok(()) }
}
