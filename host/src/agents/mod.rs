//! agents
mod bindings;
pub mod fault;
pub mod settings;
