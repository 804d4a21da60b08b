//! Partner Center and the sign-in service: the simulator, servers that misbehave in ways that it
//! cannot, and what they answer.

pub(crate) mod answers;
mod h2_server;
mod partner_wide;
mod simulator;
mod tls;

pub(crate) use h2_server::{H2Server, Turn};
pub(crate) use partner_wide::{TODAY, queries};
pub(crate) use simulator::{Simulator, item};
pub(crate) use tls::{CertificateAuthority, Claims, TlsFront, self_signed};
