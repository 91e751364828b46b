//! Lab -> files that Terraform, cloud-init and Ansible read.
//!
//! Rendering is pure: the same lab and the same [`Context`] give the same bytes, so a directory is compared with what it should be
//! by comparing texts. User text goes only where it is a literal: `terraform.tfvars.json`, YAML scalars of the seed.

use std::{collections::BTreeMap, path::PathBuf};

pub mod ansible;
pub mod cloud_init;
mod iso;
pub mod terraform;
mod yaml;

/// Rendered files: path relative to their directory, and text. Sorted.
pub type Files = BTreeMap<String, String>;

/// What rendering needs beyond the lab: what the host offers and the keys that the engine made.
#[derive(Debug, Clone)]
pub struct Context {
    /// Name of the host whose directory is rendered; machines placed elsewhere are left out.
    pub host: String,
    /// Where Terraform's provider finds libvirt, such as `qemu:///system`.
    pub libvirt_uri: String,
    /// The storage pool that holds base images and the lab's volumes.
    pub pool: String,
    /// Whether guests run under KVM or TCG.
    pub domain_type: DomainType,
    /// Name of each image's base volume in the pool.
    pub base_volumes: BTreeMap<String, String>,
    /// SSH host keys of the guests, by machine name.
    pub host_keys: BTreeMap<String, KeyPair>,
    /// The lab's own public key, allowed to log in to every machine (one line, OpenSSH form).
    pub lab_key: String,
    /// UEFI firmware of the host; needed when a machine boots with it.
    pub uefi: Option<UefiFirmware>,
    /// This computer's ports that lead to the guests' SSH servers, by machine name, where they are not reached directly.
    pub ssh_ports: BTreeMap<String, u16>,
    /// The folder that the lab file lies in: paths of playbooks and roles start here.
    pub lab_dir: PathBuf,
}

/// libvirt's domain type: what runs the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DomainType {
    /// Hardware virtualisation.
    Kvm,
    /// Emulation (TCG).
    Qemu,
}

/// An SSH key pair in OpenSSH's formats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// `-----BEGIN OPENSSH PRIVATE KEY-----` and so on.
    pub private: String,
    /// `ssh-ed25519 AAAA…`, one line, no comment.
    pub public: String,
}

/// UEFI firmware files as the host has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UefiFirmware {
    /// The code image (`OVMF_CODE…fd`).
    pub code: PathBuf,
    /// The template of the variable store (`OVMF_VARS…fd`).
    pub nvram_template: PathBuf,
}
