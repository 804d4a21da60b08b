//! The database's address: judged whole before anything is connected, and no piece of a password shown by anybody.
