# One lab on one libvirt host: its networks, disks, cloud-init seeds and machines.
#
# This file is the same for every lab. Everything that makes a lab differ is data, in
# terraform.tfvars.json, where no text is ever evaluated.
#
#   terraform init && terraform apply
#
# The host needs libvirt and QEMU, and the storage pool with the base images. This computer needs
# xsltproc for networks without DNS, and nothing else.

terraform {
  required_version = ">= 1.4"

  required_providers {
    libvirt = {
      source  = "dmacvicar/libvirt"
      version = "0.8.3"
    }
  }
}

provider "libvirt" {
  uri = var.libvirt_uri
}

# ------------------------------------------------------------------------------- where and how

variable "libvirt_uri" {
  description = "The libvirt host, for instance qemu:///system."
  type        = string
}

variable "pool" {
  description = "A storage pool of that host. It exists already and holds the base images; all disks go there."
  type        = string
}

variable "domain_type" {
  description = "\"kvm\" where the processor helps, \"qemu\" where all is emulated."
  type        = string

  validation {
    condition     = contains(["kvm", "qemu"], var.domain_type)
    error_message = "The domain type is \"kvm\" or \"qemu\"."
  }
}

variable "start" {
  description = "Whether new machines stay switched on. With false they are made, and left switched off."
  type        = bool
  default     = true
}

variable "vnc_listen" {
  description = <<-EOT
    Where the screens are offered: "socket" (a unix socket that only root and QEMU can open), "none" (only through
    libvirt itself), or "address" (a port on the host's 127.0.0.1: every user of the host can watch and type).
  EOT
  type        = string
  default     = "socket"

  validation {
    condition     = contains(["socket", "none", "address"], var.vnc_listen)
    error_message = "VNC listens on \"socket\", \"none\" or \"address\"."
  }
}

# ------------------------------------------------------------------------------------- the lab

variable "networks" {
  description = "The lab's own networks. `name` and `bridge` (its device) are unique on the host."
  type = map(object({
    name      = string
    bridge    = string
    mode      = string # "nat", "route", or "none" for an isolated network
    addresses = list(string)
    domain    = optional(string)
    dhcp      = optional(bool, true)
    dns       = optional(bool, true)
  }))
  default = {}
}

variable "machines" {
  description = "The lab's machines. `name` is unique on the host."
  type = map(object({
    name              = string
    description       = optional(string)
    vcpus             = number
    memory_mib        = number
    base_volume       = string # a base image in the pool; the system disk is a copy-on-write clone of it
    system_disk_bytes = number
    disks             = optional(list(object({ name = string, size_bytes = number })), [])
    seed              = optional(string)                                             # cloud-init's CD: a file of this directory
    firmware          = optional(object({ code = string, nvram_template = string })) # UEFI; BIOS without it
    nics = optional(list(object({
      network  = optional(string) # a key of var.networks …
      bridge   = optional(string) # … or a bridge device that the host has already
      mac      = string
      address  = optional(string) # reserved in DHCP, where the network has it
      hostname = optional(string) # the name in the network's DNS
    })), [])
  }))
  default = {}
}

# ------------------------------------------------------------------------------------ networks

# The provider believes that it can switch DHCP and DNS in a network that exists. It cannot: this record replaces it.
resource "terraform_data" "services" {
  for_each = var.networks

  input = { dhcp = each.value.dhcp, dns = each.value.dns }
}

resource "libvirt_network" "network" {
  for_each = var.networks

  name      = each.value.name
  bridge    = each.value.bridge
  mode      = each.value.mode
  addresses = each.value.addresses
  domain    = each.value.domain
  autostart = true

  dhcp {
    enabled = each.value.dhcp
  }

  dns {
    enabled    = each.value.dns
    local_only = each.value.domain != null
  }

  # The provider cannot switch a network's DNS off: it only leaves it out, and libvirt's default is on.
  dynamic "xml" {
    for_each = each.value.dns ? [] : [local.without_dns]
    content {
      xslt = xml.value
    }
  }

  lifecycle {
    replace_triggered_by = [terraform_data.services[each.key]]
  }
}

# --------------------------------------------------------------------------------------- disks

locals {
  disks = merge([
    for key, machine in var.machines : {
      for disk in machine.disks : "${key}/${disk.name}" => {
        name       = "${machine.name}.disk-${disk.name}.qcow2"
        size_bytes = disk.size_bytes
      }
    }
  ]...)
}

resource "libvirt_volume" "system" {
  for_each = var.machines

  name             = "${each.value.name}.system.qcow2"
  pool             = var.pool
  format           = "qcow2"
  size             = each.value.system_disk_bytes
  base_volume_name = each.value.base_volume
  base_volume_pool = var.pool
}

resource "libvirt_volume" "disk" {
  for_each = local.disks

  name   = each.value.name
  pool   = var.pool
  format = "qcow2"
  size   = each.value.size_bytes
}

# What cloud-init reads at the first boot: an ISO 9660 image labelled "cidata", which another program made. Its name
# changes with its content. To make one by hand:
#
#   genisoimage -volid cidata -joliet -rock -output seeds/web-2.iso user-data meta-data network-config
#
# It is a plain volume because libvirt_cloudinit_disk downloads each image at every refresh, and once in some dozens of
# downloads this provider waits for ever. It also keeps the keys inside out of the variables, the plan and the state.
resource "libvirt_volume" "seed" {
  for_each = { for key, machine in var.machines : key => machine if machine.seed != null }

  name   = "${each.value.name}.seed.iso"
  pool   = var.pool
  format = "raw"
  source = "${path.module}/${each.value.seed}"

  lifecycle {
    ignore_changes = [format] # libvirt makes it as "raw" and then finds that it is "iso"
  }
}

# ------------------------------------------------------------------------------------ machines

# What a machine is made of. When something here is made anew, the machine has to be as well; the provider would leave it
# running on the deleted disk, or plugged into the deleted network. It does not carry out any change of network
# interfaces either, and its refresh puts leases where the reserved addresses were: so the machine ignores them, and
# this record stands in for them.
resource "terraform_data" "hardware" {
  for_each = var.machines

  input = {
    disks = concat(
      [libvirt_volume.system[each.key].id],
      [for disk in each.value.disks : libvirt_volume.disk["${each.key}/${disk.name}"].id],
    )
    nics = [
      for nic in each.value.nics : {
        network  = nic.network == null ? null : libvirt_network.network[nic.network].id
        bridge   = nic.bridge
        mac      = nic.mac
        address  = nic.address
        hostname = nic.hostname
      }
    ]
  }
}

resource "libvirt_domain" "machine" {
  for_each = var.machines

  name        = each.value.name
  description = each.value.description
  type        = var.domain_type
  vcpu        = each.value.vcpus
  memory      = each.value.memory_mib
  running     = var.start
  cloudinit   = each.value.firmware == null ? try("${libvirt_volume.seed[each.key].id};seed", null) : null # "volume;anything" is how the provider has it
  firmware    = try(each.value.firmware.code, null)

  cpu {
    # Emulated, QEMU's default is older than x86-64-v2, which current distributions need.
    mode = var.domain_type == "kvm" ? "host-passthrough" : "maximum"
  }

  dynamic "nvram" {
    for_each = each.value.firmware[*]
    content {
      template = nvram.value.nvram_template
    }
  }

  disk {
    volume_id = libvirt_volume.system[each.key].id
  }

  dynamic "disk" {
    for_each = each.value.disks
    content {
      volume_id = libvirt_volume.disk["${each.key}/${disk.value.name}"].id
    }
  }

  # After UEFI, kernels for the cloud do not see the IDE drive that the provider puts the seed in: there it is a disk.
  dynamic "disk" {
    for_each = each.value.firmware == null || each.value.seed == null ? [] : [libvirt_volume.seed[each.key].id]
    iterator = seed
    content {
      volume_id = seed.value
    }
  }

  dynamic "network_interface" {
    for_each = each.value.nics
    iterator = nic
    content {
      network_id = nic.value.network == null ? null : libvirt_network.network[nic.value.network].id
      bridge     = nic.value.bridge
      mac        = nic.value.mac
      # A reservation switches DHCP on in a network that has none: there, the seed's network_config sets the address.
      addresses = try(var.networks[nic.value.network].dhcp, false) ? nic.value.address[*] : null
      hostname  = try(var.networks[nic.value.network].dhcp, false) ? nic.value.hostname : null
    }
  }

  console {
    type        = "pty"
    target_type = "serial"
    target_port = "0"
  }

  graphics {
    type        = "vnc"
    listen_type = var.vnc_listen
  }

  video {
    type = "virtio"
  }

  lifecycle {
    ignore_changes = [
      running,           # machines are started and stopped by people
      description,       # a word changed is no reason to make a machine again
      cloudinit,         # a new seed has the old one's path; the provider would start the machine to change the CD
      network_interface, # see terraform_data.hardware
    ]
    replace_triggered_by = [terraform_data.hardware[each.key]]
  }
}

output "machines" {
  description = "Each machine's libvirt UUID."
  value       = { for key, machine in libvirt_domain.machine : key => machine.id }
}

locals {
  without_dns = <<-XSLT
    <xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
      <xsl:template match="@*|node()">
        <xsl:copy><xsl:apply-templates select="@*|node()"/></xsl:copy>
      </xsl:template>
      <xsl:template match="/network">
        <xsl:copy><xsl:apply-templates select="@*|node()[not(self::dns)]"/><dns enable="no"/></xsl:copy>
      </xsl:template>
    </xsl:stylesheet>
  XSLT
}
