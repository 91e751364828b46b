//! The states of a libvirt domain.

use serde::{Deserialize, Serialize};

/// State of a domain, after libvirt's `virDomainState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub enum DomainState {
    /// Executing, or ready to.
    Running,
    /// Held by a user or by an error such as a full disk.
    Paused,
    /// Asked to power off, still executing.
    ShuttingDown,
    /// Defined, and not executing.
    ShutOff,
    /// Its emulator or its kernel crashed.
    Crashed,
    /// Suspended by the guest itself.
    Suspended,
}

impl DomainState {
    /// Whether the domain holds memory and processors now.
    pub fn is_active(self) -> bool {
        match self {
            DomainState::Running | DomainState::Paused | DomainState::ShuttingDown | DomainState::Suspended => true,
            DomainState::ShutOff | DomainState::Crashed => false,
        }
    }

    /// The state in words.
    pub fn as_str(self) -> &'static str {
        match self {
            DomainState::Running => "running",
            DomainState::Paused => "paused",
            DomainState::ShuttingDown => "shutting down",
            DomainState::ShutOff => "shut off",
            DomainState::Crashed => "crashed",
            DomainState::Suspended => "suspended",
        }
    }
}
