//! What only this adapter promises: crashes, disks, files that are not ours, and what many writers meet. What every
//! adapter promises is in `conformance.rs`.

mod crash;
mod lists;
mod opening;
mod queue;
mod records;
mod rig;
mod store;
mod writer;
