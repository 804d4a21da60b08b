//! Which process of which host this is.

use uuid::Uuid;

use crate::printable::printable;

/// The columns of the host's name hold as many characters.
const MAX_HOST: usize = 255;

/// A process that may hold leases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Random: no two processes share it, whatever their hosts are called.
    pub id: Uuid,
    /// The host's name, for people.
    pub host: String,
}

impl Instance {
    /// This process, under the host's name as the kernel has it.
    #[must_use]
    pub fn of_process() -> Self {
        // By a system call: the service cannot see /proc/sys.
        let name = rustix::system::uname();
        Self::new(&name.nodename().to_string_lossy())
    }

    /// A process of the host of this name.
    #[must_use]
    pub fn new(host: &str) -> Self {
        let host: String = printable(host).chars().take(MAX_HOST).collect();
        Self {
            id: Uuid::new_v4(),
            host: if host.is_empty() {
                "unnamed".to_owned()
            } else {
                host
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hosts_name_is_printable_and_fits_its_column() {
        assert_eq!(Instance::new("web1\x1b[31m").host, "web1 [31m");
        assert_eq!(Instance::new(&"ü".repeat(1_000)).host.chars().count(), 255);
        assert_eq!(Instance::new(" ").host, "unnamed");
        assert!(!Instance::of_process().host.is_empty());
    }
}
