import type { CatalogEntry, Image } from "../../bindings";
import type { Answers } from "../fake";

const here = (name: string, more: Partial<Image> = {}): Image => ({
  name,
  digest: "8f2c1d0b9a3e47c6a1b5d9e2f40718c3b6a5948372615049f8e7d6c5b4a39281",
  source: `https://cloud.debian.org/images/cloud/bookworm/latest/${name}-genericcloud-amd64.qcow2`,
  virtual_size: "3 GiB",
  file_mib: 331,
  added: "2026-11-02T08:14:00Z",
  used_by: [],
  ...more,
});

const listed = (name: string, title: string, user: string | null, url: string, more: Partial<CatalogEntry> = {}): CatalogEntry => ({
  name,
  title,
  url,
  verified_by: "published sha256",
  own: false,
  here: false,
  recipe: false,
  user,
  ...more,
});

export const images: Answers = {
  listImages: () => [
    here("debian-12", { used_by: ["shop", "hello", "k8s"] }),
    here("debian-13", { source: "https://cloud.debian.org/images/cloud/trixie/latest/debian-13-genericcloud-amd64.qcow2", file_mib: 352, added: "2026-11-20T16:40:00Z", digest: "1b7e5c90d2a84f3361c8e9b0a7f5d4c2938171605f4e3d2c1b0a99887766554f", used_by: ["soc-training"] }),
    here("ubuntu-24.04", { source: "https://cloud-images.ubuntu.com/releases/noble/release/ubuntu-24.04-server-cloudimg-amd64.img", virtual_size: "3.5 GiB", file_mib: 592, added: "2026-10-11T09:00:00Z", used_by: ["k8s"], digest: "c04d8a7be2f19635d7c3ab0846e1f52990b8d7c6a5f4e3d2c1b0a998877665544" }),
    here("win2022-eval", { source: "/home/ada/images/windows server 2022 evaluation.qcow2", virtual_size: "40 GiB", file_mib: 11_204, added: "2026-09-30T19:25:00Z", used_by: ["ad-domain"], digest: "77aa10f3c25be8d94106fa7b3c8e2d5190b8d7c6a5f4e3d2c1b0a99887766554" }),
    here("fw-appliance", { source: "/home/ada/images/fw.raw", virtual_size: "2 GiB", file_mib: 187, added: "2026-11-25T12:58:00Z", digest: "e9d2c4b6a8f01735924c6b8da0f2e4c690b8d7c6a5f4e3d2c1b0a99887766554" }),
  ],
  listRecipes: () => [{ name: "debian-12", makes: "minimal Debian 12 with cloud-init, from packages" }],
  imageCatalog: () => [
    listed("fw-lab", "Our own firewall image, nightly", "admin", "https://images.example.net/fw/latest.qcow2", { own: true, verified_by: "nothing" }),
    listed("debian-12", "Debian 12 (bookworm)", "debian", "https://cloud.debian.org/images/cloud/bookworm/latest/debian-12-genericcloud-amd64.qcow2", { here: true, recipe: true, verified_by: "published sha512" }),
    listed("debian-13", "Debian 13 (trixie)", "debian", "https://cloud.debian.org/images/cloud/trixie/latest/debian-13-genericcloud-amd64.qcow2", { here: true, verified_by: "published sha512" }),
    listed("ubuntu-22.04", "Ubuntu 22.04 LTS (Jammy Jellyfish)", "ubuntu", "https://cloud-images.ubuntu.com/releases/jammy/release/ubuntu-22.04-server-cloudimg-amd64.img"),
    listed("ubuntu-24.04", "Ubuntu 24.04 LTS (Noble Numbat)", "ubuntu", "https://cloud-images.ubuntu.com/releases/noble/release/ubuntu-24.04-server-cloudimg-amd64.img", { here: true }),
    listed("fedora-43", "Fedora Cloud 43", "fedora", "https://dl.fedoraproject.org/pub/fedora/linux/releases/43/Cloud/x86_64/images/Fedora-Cloud-Base-Generic-43-1.6.x86_64.qcow2"),
    listed("fedora-44", "Fedora Cloud 44", "fedora", "https://dl.fedoraproject.org/pub/fedora/linux/releases/44/Cloud/x86_64/images/Fedora-Cloud-Base-Generic-44-1.7.x86_64.qcow2"),
    listed("almalinux-9", "AlmaLinux 9", "almalinux", "https://repo.almalinux.org/almalinux/9/cloud/x86_64/images/AlmaLinux-9-GenericCloud-latest.x86_64.qcow2"),
    listed("rocky-10", "Rocky Linux 10", "rocky", "https://dl.rockylinux.org/pub/rocky/10/images/x86_64/Rocky-10-GenericCloud-Base.latest.x86_64.qcow2"),
    listed("opensuse-leap-16.0", "openSUSE Leap 16.0, minimal", null, "https://download.opensuse.org/distribution/leap/16.0/appliances/Leap-16.0-Minimal-VM.x86_64-Cloud.qcow2"),
    listed("arch", "Arch Linux", "arch", "https://geo.mirror.pkgbuild.com/images/latest/Arch-Linux-x86_64-cloudimg.qcow2"),
    listed("alpine-3.23", "Alpine Linux 3.23 (no Python: not for Ansible as it is)", "alpine", "https://dl-cdn.alpinelinux.org/alpine/v3.23/releases/cloud/generic_alpine-3.23.0-x86_64-bios-cloudinit-r0.qcow2", { verified_by: "published sha512" }),
    listed("freebsd-15.1", "FreeBSD 15.1, with its own cloud-init (no Python: not for Ansible as it is)", "freebsd", "https://download.freebsd.org/releases/VM-IMAGES/15.1-RELEASE/amd64/Latest/FreeBSD-15.1-RELEASE-amd64-BASIC-CLOUDINIT-ufs.qcow2.xz", { verified_by: "published sha512" }),
  ],
  // A download that stays where it is, so that there is something to look at.
  pullImage: ({ onProgress }) => {
    onProgress.onmessage({ step: null, done_mib: 214, total_mib: 583 });
    return new Promise(() => {});
  },
  cancelPull: () => true,
  buildImage: ({ onStep }) => {
    onStep.onmessage("installing packages: 118 of 203");
    return new Promise(() => {});
  },
  cancelBuild: () => true,
  addImage: ({ name }) => here(name, { source: "/home/ada/images/alpine.qcow2" }),
  verifyImage: ({ name }) => name !== "fw-appliance",
  imagePlaces: () => [
    { host: "local", path: "/var/lib/libvirt/images/vlm/8f2c1d0b9a3e.qcow2", bytes_mib: 331, error: null },
    { host: "lab1", path: "/srv/vlm/8f2c1d0b9a3e.qcow2", bytes_mib: 331, error: null },
    { host: "rack4", path: null, bytes_mib: null, error: "could not connect to root@rack4.example.net:22: no route to host" },
  ],
  removeImage: () => null,
};
