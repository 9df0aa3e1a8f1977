//! Which process a call came from: by the port at its end of the connection, as Linux lists it.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::sync::{Mutex, PoisonError};

/// The processes that may call.
pub(crate) struct Callers {
    ids: Vec<u32>,
    by_port: Mutex<HashMap<u16, usize>>,
}

impl Callers {
    /// These processes, by number.
    pub(crate) fn new(ids: Vec<u32>) -> Self {
        Self { ids, by_port: Mutex::default() }
    }

    /// The place of the one that holds this port; it must hold it now, or have held it when it was asked first.
    pub(crate) fn of(&self, port: u16) -> usize {
        let mut known = self.by_port.lock().unwrap_or_else(PoisonError::into_inner);
        *known.entry(port).or_insert_with(|| {
            let holds = |id: &u32| ports(*id).contains(&port);
            self.ids.iter().position(holds).expect("one of the processes holds the connection")
        })
    }
}

/// The TCP ports that a process holds: its sockets by inode (proc(5), /proc/pid/fd), and what Linux says of each
/// (/proc/net/tcp: second field the local address, tenth the inode).
pub(crate) fn ports(process: u32) -> HashSet<u16> {
    let sockets = fs::read_dir(format!("/proc/{process}/fd")).expect("it runs");
    let inodes: HashSet<String> = sockets
        .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| {
            let link = link.to_string_lossy().into_owned();
            Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    let table = fs::read_to_string("/proc/net/tcp").expect("Linux");
    let port = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_its = inodes.contains(*fields.get(9)?);
        let (_, port) = fields.get(1)?.split_once(':')?;
        is_its.then(|| u16::from_str_radix(port, 16).ok()).flatten()
    };
    table.lines().skip(1).filter_map(port).collect()
}
