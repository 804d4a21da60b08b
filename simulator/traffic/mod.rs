//! What concerns every request, whichever endpoint it is for: telling the endpoints apart, the log
//! of requests, the counts, and the scripted answers that take the place of ordinary ones.

mod body;
mod context;
mod endpoint;
mod request_log;
mod scripts;
mod stats;

pub(crate) use self::{
    body::ScriptedBody,
    context::RequestContext,
    endpoint::Endpoint,
    request_log::RequestLog,
    scripts::{Script, ScriptedAnswer, Scripts},
    stats::{Answered, Stats},
};
