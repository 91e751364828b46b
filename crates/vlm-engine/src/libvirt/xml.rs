//! libvirt's XML: facts out of it, and the two small documents we write. Nothing else in the product touches XML.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use ipnet::Ipv4Net;
use roxmltree::{Document, Node};
use vlm_lab::render::UefiFirmware;

use super::{Network, Uses, VolumeFile};

/// What a host's capabilities say of x86-64 guests. See <https://libvirt.org/formatcaps.html>.
pub struct Capabilities {
    /// Whether `<domain type='kvm'>` is listed.
    pub kvm: bool,
    /// The emulator's path.
    pub emulator: Option<PathBuf>,
    /// The account that QEMU runs as.
    pub emulators_account: Option<Account>,
    /// Names of the security models in use: `apparmor` or `selinux`, and `dac`.
    pub security_models: Vec<String>,
}

/// A user and a group, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// The user's id; 0 is root.
    pub user: u32,
    /// The group's id.
    pub group: u32,
}

impl Capabilities {
    /// Reads `<capabilities>`. What is missing is taken as not there.
    pub fn of(text: &str) -> Capabilities {
        let mut capabilities =
            Capabilities { kvm: false, emulator: None, emulators_account: None, security_models: Vec::new() };
        let Ok(document) = Document::parse(text) else { return capabilities };
        // <secmodel><model>dac</model><baselabel type='kvm'>+64055:+994</baselabel></secmodel>
        let models = || document.descendants().filter(|node| node.has_tag_name("secmodel"));
        capabilities.security_models = models().filter_map(|model| child_text(model, "model")).collect();
        capabilities.emulators_account =
            models().find(|model| child_text(*model, "model").as_deref() == Some("dac")).and_then(|dac| {
                let label = child_text(dac, "baselabel")?;
                let (user, group) = label.strip_prefix('+')?.split_once(":+")?;
                Some(Account { user: user.parse().ok()?, group: group.parse().ok()? })
            });
        for arch in document.descendants().filter(|node| node.has_tag_name("arch") && node.attribute("name") == Some("x86_64"))
        {
            capabilities.kvm |= children(arch, "domain").any(|domain| domain.attribute("type") == Some("kvm"));
            if capabilities.emulator.is_none() {
                capabilities.emulator = child_text(arch, "emulator").map(PathBuf::from);
            }
        }
        capabilities
    }
}

/// The UEFI firmware without secure boot that `<domainCapabilities>` offers. See <https://libvirt.org/formatdomaincaps.html>.
pub fn uefi_firmware(text: &str) -> Option<UefiFirmware> {
    let document = Document::parse(text).ok()?;
    let loader =
        document.descendants().find(|node| node.has_tag_name("loader") && node.attribute("supported") == Some("yes"))?;
    let code = children(loader, "value").filter_map(|value| value.text()).find(|path| {
        let path = path.to_ascii_lowercase();
        path.contains("code")
            && !["secboot", "secure", ".ms.", "snakeoil", "aavmf", "ovmf32"].iter().any(|not| path.contains(not))
    })?;
    // Distributions name the two halves alike: OVMF_CODE_4M.fd and OVMF_VARS_4M.fd.
    let nvram_template = code.replace("CODE", "VARS").replace("code", "vars");
    Some(UefiFirmware { code: code.into(), nvram_template: nvram_template.into() })
}

/// A network's name, bridge and subnets. See <https://libvirt.org/formatnetwork.html>.
pub fn network(text: &str) -> Network {
    let mut network = Network::default();
    let Ok(document) = Document::parse(text) else { return network };
    let root = document.root_element();
    network.name = child_text(root, "name").unwrap_or_default();
    network.bridge = children(root, "bridge").find_map(|bridge| bridge.attribute("name")).map(str::to_owned);
    network.subnets = children(root, "ip").filter_map(subnet).collect();
    network.has_dhcp = children(root, "ip").any(|ip| children(ip, "dhcp").next().is_some());
    network
}

fn subnet(ip: Node<'_, '_>) -> Option<Ipv4Net> {
    let address: Ipv4Addr = ip.attribute("address")?.parse().ok()?;
    let subnet = match (ip.attribute("prefix"), ip.attribute("netmask")) {
        (Some(prefix), _) => Ipv4Net::new(address, prefix.parse().ok()?).ok()?,
        (None, Some(netmask)) => Ipv4Net::with_netmask(address, netmask.parse().ok()?).ok()?,
        (None, None) => return None,
    };
    Some(subnet.trunc())
}

/// What a domain uses of its host: files, volumes, networks, bridges. See <https://libvirt.org/formatdomain.html>.
pub fn uses(text: &str) -> Uses {
    let Ok(document) = Document::parse(text) else { return Uses::default() };
    let domain = child_text(document.root_element(), "name").unwrap_or_default();
    let of = |element: &'static str, attributes: &'static [&'static str]| {
        document
            .descendants()
            .filter(move |node| node.has_tag_name(element))
            .flat_map(|node| children(node, "source"))
            .flat_map(move |source| attributes.iter().filter_map(move |name| source.attribute(*name)))
            .map(str::to_owned)
            .collect()
    };
    let nic = |interface: Node<'_, '_>| {
        let source = children(interface, "source").next()?;
        let to = source.attribute("network").or(source.attribute("bridge"))?;
        let mac = children(interface, "mac").find_map(|mac| mac.attribute("address"))?;
        Some((to.to_owned(), mac.to_lowercase()))
    };
    let interfaces = document.descendants().filter(|node| node.has_tag_name("interface"));
    Uses {
        domain,
        disks: of("disk", &["file", "volume", "dev"]),
        networks: of("interface", &["network", "bridge"]),
        nics: interfaces.filter_map(nic).collect(),
    }
}

/// The devices on the host that a running domain's network cards are, by MAC address in lower case.
pub fn nic_devices(text: &str) -> BTreeMap<String, String> {
    let Ok(document) = Document::parse(text) else { return BTreeMap::new() };
    let nics = document.descendants().filter(|node| node.has_tag_name("interface"));
    let device = |nic: Node<'_, '_>| {
        let mac = children(nic, "mac").find_map(|mac| mac.attribute("address"))?.to_ascii_lowercase();
        let device = children(nic, "target").find_map(|target| target.attribute("dev"))?.to_owned();
        Some((mac, device))
    };
    nics.filter_map(device).collect()
}

/// A volume's name, file, backing file and size. See <https://libvirt.org/formatstorage.html>.
pub fn volume(text: &str) -> VolumeFile {
    let mut volume =
        VolumeFile { name: String::new(), path: String::new(), backing: None, allocated_bytes: 0, capacity_bytes: 0 };
    let Ok(document) = Document::parse(text) else { return volume };
    let root = document.root_element();
    let path_of = |part: &'static str| children(root, part).find_map(|node| child_text(node, "path"));
    volume.name = child_text(root, "name").unwrap_or_default();
    volume.path = path_of("target").unwrap_or_default();
    volume.backing = path_of("backingStore");
    let bytes = |part| child_text(root, part).and_then(|bytes| bytes.parse().ok()).unwrap_or_default();
    (volume.allocated_bytes, volume.capacity_bytes) = (bytes("allocation"), bytes("capacity"));
    volume
}

/// A network with addresses that are translated, for as long as somebody looks whether it passes packets.
pub fn passing_network(name: &str, bridge: &str, host: Ipv4Addr, prefix: u8) -> String {
    format!(
        "<network><name>{}</name><forward mode='nat'/><bridge name='{}' stp='off' delay='0'/>\
         <ip address='{host}' prefix='{prefix}'/></network>",
        escape(name),
        escape(bridge)
    )
}

/// A pool's directory.
pub fn pool_path(text: &str) -> PathBuf {
    let document = Document::parse(text).ok();
    let path = document.as_ref().and_then(|document| document.descendants().find(|node| node.has_tag_name("path")));
    path.and_then(|path| path.text()).unwrap_or_default().into()
}

/// A directory pool. See <https://libvirt.org/formatstorage.html>.
///
/// Only root and the group that QEMU runs with get into the folder: the seeds in it hold guests' host keys, and libvirt makes
/// volumes readable by everybody who gets there.
pub fn directory_pool(name: &str, path: &Path, emulators_group: Option<u32>) -> String {
    let permissions = emulators_group.map_or(String::new(), |group| {
        format!("<permissions><mode>0710</mode><owner>0</owner><group>{group}</group></permissions>")
    });
    format!(
        "<pool type='dir'><name>{}</name><target><path>{}</path>{permissions}</target></pool>",
        escape(name),
        escape(&path.to_string_lossy())
    )
}

/// A qcow2 volume, grown as it is written.
pub fn qcow2_volume(name: &str, capacity_bytes: u64) -> String {
    format!(
        "<volume><name>{}</name><capacity unit='bytes'>{capacity_bytes}</capacity><allocation unit='bytes'>0</allocation>\
         <target><format type='qcow2'/></target></volume>",
        escape(name)
    )
}

/// Serial log, disks and whatever else a definition names are not ours to parse twice: only what is asked for is here.
fn children<'a, 'input>(node: Node<'a, 'input>, tag: &'static str) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(move |child| child.has_tag_name(tag))
}

fn child_text(node: Node<'_, '_>, tag: &'static str) -> Option<String> {
    children(node, tag).find_map(|child| child.text()).map(str::to_owned)
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\'' => escaped.push_str("&apos;"),
            '"' => escaped.push_str("&quot;"),
            c => escaped.push(c),
        }
    }
    escaped
}
