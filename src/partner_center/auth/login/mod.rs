//! Signs a person in, once: in a browser on this machine, or by a code entered on another device.
//! Either ends with a refresh token, which is stored only if Partner Center would accept the access
//! token beside it.

mod browser;
mod device_code;
mod loopback;
mod sign_in;

pub use browser::BrowserSignIn;
pub use sign_in::{Login, SignedIn};
