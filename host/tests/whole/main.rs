//! The whole loop over real sockets, files and processes: exchange, feeds, bus, agents, desk, and
//! what goes wrong between them. One program, because to link one takes longer than to run it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's helpers")]

#[path = "../support/mod.rs"]
mod support;

mod agentuity;
mod commands;
mod crash;
mod deployment;
mod docker;
mod doctor;
mod faults;
mod folder;
mod hostile;
mod newcomer;
mod order_groups;
mod outages;
mod recording;
mod roles;
mod secrets;
mod streams;
mod subscriber;
mod traces;
mod trading;
