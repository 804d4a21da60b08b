//! The stand-in for login.microsoftonline.com.

pub(crate) mod assertion;
pub(crate) mod authorize;
pub(crate) mod client;
pub(crate) mod device_code;
pub(crate) mod entra_error;
pub(crate) mod openid;
pub(crate) mod token;
