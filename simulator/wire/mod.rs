//! HTTP/1.1 as bytes: a request out of a buffer, a response into one. Written by hand because this
//! server must also be able to send what no HTTP library lets it: a body cut off, a silent stall, a
//! status line of garbage. Does no I/O; sockets are in `server`.

mod gzip;
mod request;
mod response;

pub(crate) use self::{
    gzip::gzip_pieces,
    request::{Form, HttpRequest, MAX_HEAD_BYTES},
    response::{HttpResponse, JSON, http_date},
};
