//! What a lab of virtual machines is, and what follows from it.
//!
//! Everything here computes: value in, value out, no files, clock, randomness, processes or async. That is what makes a
//! lab designable with no host in reach, and every rule testable in microseconds.
//!
//! - [`model`]: the lab as a person writes it ([`Lab`]) and the machines that follow from it ([`Machine`])
//! - [`file`]: `lab.yaml` in and out, with the place of every value, and its JSON Schema
//! - [`problems`]: what is wrong with a lab, all at once
//! - [`address`]: MAC and IP addresses, derived
//! - [`place`]: which host each machine goes to
//! - [`render`]: the files that Terraform, cloud-init and Ansible read
//! - [`plan`]: planned changes in words
//! - [`phase`]: what each machine of a run needs next
//! - [`lifecycle`]: states of a domain

pub mod address;
pub mod file;
pub mod lifecycle;
pub mod model;
pub mod phase;
pub mod place;
pub mod plan;
pub mod problems;
pub mod render;

pub use model::{Lab, Machine};
