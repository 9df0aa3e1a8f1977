//! What processes take of the machine, from /proc (proc_pid_stat(5), proc_pid_status(5)).

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};

/// Clock ticks per second in /proc: `USER_HZ`, 100 on every architecture that Linux runs this on.
const TICKS: f64 = 100.0;

/// All processes at an instant.
pub(crate) struct Processes(BTreeMap<u32, Stat>);

#[derive(Debug, PartialEq, Eq)]
struct Stat {
    command: String,
    parent: u32,
    /// In user and system mode.
    own_ticks: u64,
    /// Of children that have ended and were waited for.
    children_ticks: u64,
}

impl Processes {
    /// Those that run now.
    pub(crate) fn now() -> Result<Self> {
        let mut all = BTreeMap::new();
        for entry in fs::read_dir("/proc").context("no /proc: the bench runs on Linux")? {
            let Ok(id) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
            // It may have ended meanwhile.
            let Ok(line) = fs::read_to_string(format!("/proc/{id}/stat")) else { continue };
            all.extend(Stat::read(&line).map(|stat| (id, stat)));
        }
        Ok(Self(all))
    }

    /// Seconds of processor time of one process alone.
    pub(crate) fn seconds(&self, id: u32) -> f64 {
        self.0.get(&id).map_or(0.0, |stat| seconds(stat.own_ticks))
    }

    /// Seconds of processor time of a process and all below it, those that have ended included.
    pub(crate) fn seconds_of_tree(&self, root: u32) -> f64 {
        let ticks = |id| self.0.get(id).map_or(0, |stat: &Stat| stat.own_ticks + stat.children_ticks);
        seconds(self.tree(root).iter().map(ticks).sum())
    }

    /// The largest peak of resident memory in a tree, in MiB.
    pub(crate) fn peak_mib_of_tree(&self, root: u32) -> f64 {
        self.tree(root).into_iter().map(peak_mib).fold(0.0, f64::max)
    }

    /// The children of a process that have a process of this name in their tree.
    pub(crate) fn child_with(&self, parent: u32, command: &str) -> Option<u32> {
        let children = self.0.iter().filter(|(_, stat)| stat.parent == parent).map(|(id, _)| *id);
        let has = |id: &u32| self.tree(*id).iter().any(|id| self.0[id].command == command);
        children.into_iter().find(has)
    }

    /// The parent of a process.
    pub(crate) fn parent(&self, id: u32) -> Option<u32> {
        self.0.get(&id).map(|stat| stat.parent)
    }

    fn tree(&self, root: u32) -> Vec<u32> {
        let mut tree: Vec<u32> = self.0.contains_key(&root).then_some(root).into_iter().collect();
        let mut looked_at = 0;
        while let Some(id) = tree.get(looked_at).copied() {
            looked_at += 1;
            tree.extend(self.0.iter().filter(|(_, stat)| stat.parent == id).map(|(id, _)| *id));
        }
        tree
    }
}

impl Stat {
    /// `id (command) state parent … utime stime cutime cstime …`, where the command may hold anything.
    fn read(line: &str) -> Option<Self> {
        let (before, after) = line.rsplit_once(") ")?;
        let (_, command) = before.split_once(" (")?;
        let fields: Vec<&str> = after.split(' ').collect();
        // Fields 4 and 14 to 17 of the manual, which counts from 1 and has two before these.
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        Some(Self {
            command: command.to_owned(),
            parent: u32::try_from(number(4)?).ok()?,
            own_ticks: number(14)? + number(15)?,
            children_ticks: number(16)? + number(17)?,
        })
    }
}

/// The peak of a process's resident memory, in MiB; 0 when it has ended.
pub(crate) fn peak_mib(id: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

/// The load averages over 1, 5 and 15 minutes, as the system writes them.
pub(crate) fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

#[expect(clippy::cast_precision_loss, reason = "a bench does not run for 2^52 ticks")]
fn seconds(ticks: u64) -> f64 {
    ticks as f64 / TICKS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_may_hold_brackets_and_blanks() {
        let line = "12 (a) b (c) S 7 12 12 0 -1 4194560 100 0 0 0 30 12 5 2 20 0 1 0 100";
        let expected = Stat { command: "a) b (c".to_owned(), parent: 7, own_ticks: 42, children_ticks: 7 };
        assert_eq!(Stat::read(line), Some(expected));
    }

    #[test]
    fn this_process_is_in_the_tree_of_its_parent() {
        let processes = Processes::now().expect("/proc");
        let id = std::process::id();
        let parent = processes.parent(id).expect("a parent");
        assert!(processes.tree(parent).contains(&id));
        assert!(peak_mib(id) > 0.0);
    }
}
