//! The stand-in for login.microsoftonline.com. `endpoints` answers its requests; below it are the
//! parts that they share: who is registered, how the application proves its identity, what has been
//! issued, and the errors.

mod assertion;
mod authorization_codes;
mod client;
mod device_codes;
mod endpoints;
mod entra_error;
mod issued;
mod openid;
mod registration;

pub(crate) use self::{
    endpoints::respond,
    issued::{Bearer, Issued},
};
