#!/bin/sh
# Prints what a computer is, for `vlm doctor`. It reads, changes nothing, needs no root, and passes over what is not there.
#
# Wants $pool (the folder of the storage pool) and $data (the folder of our own files; empty on other computers). Each fact is
# a line "== NAME", its lines after a blank, and "-- STATUS": the exit status of what was asked, 127 where it is not there.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/libexec
LC_ALL=C
export PATH LC_ALL
: "${pool:=/var/lib/libvirt/images/vlm}" "${data:=}"

# A program that hangs must not hold us; where there is no timeout(1), we trust.
if command -v timeout >/dev/null 2>&1; then limit='timeout 5'; else limit=; fi

# fact NAME COMMAND...: at most 400 lines of what it prints, on either stream.
fact() {
  name=$1
  shift
  printf '== %s\n' "$name"
  { "$@" 2>&1 </dev/null; echo "-- $?"; } | awk 'NR > 401 { last = $0; next } { if (held != "") print held; held = $0 } END { print (last != "" ? last : held) }' |
    sed '$!s/^/ /'
}
run() { command -v "$1" >/dev/null 2>&1 || return 127; $limit "$@"; }
show() { [ -e "$1" ] || return 127; cat "$1"; }

fact kernel uname -srm
fact os show /etc/os-release
fact virtualised run systemd-detect-virt
me() { id -un; id -u; id -Gn; }
fact me me
fact my-groups id -Gn "$(id -un)"
fact groups run getent group libvirt kvm qemu libvirt-qemu
fact accounts run getent passwd libvirt-qemu qemu

# --- the processor and KVM
flags() { grep -m1 -o -w -E 'vmx|svm' /proc/cpuinfo; grep -m1 -o -w hypervisor /proc/cpuinfo; }
fact cpu flags
# A file in its place, as in a container that hides it, is no device.
device() { [ -c /dev/kvm ] || return 127; stat -c '%A %a %u %g' /dev/kvm; }
fact kvm device
modules() { for each in kvm kvm_intel kvm_amd br_netfilter ip_tables nf_tables; do [ ! -d "/sys/module/$each" ] || echo "$each"; done; }
fact modules modules
nested() {
  for each in intel amd; do
    [ ! -r "/sys/module/kvm_$each/parameters/nested" ] || echo "kvm_$each $(cat "/sys/module/kvm_$each/parameters/nested")"
  done
}
fact nested nested
kernel_log() { run dmesg 2>/dev/null | grep -E "$1" | tail -n 5; }
fact kvm-log kernel_log 'kvm.*(disabled|not supported|no hardware)'

# --- libvirt
sockets() { for each in /run/libvirt/libvirt-sock /run/libvirt/virt*d-sock; do [ ! -S "$each" ] || stat -c '%a %U %G %n' "$each"; done; }
fact sockets sockets
usable() { for each in libvirt-sock virtqemud-sock; do [ ! -w "/run/libvirt/$each" ] || echo "$each"; done; }
fact usable usable
# Sockets that a daemon, or systemd in its place, listens on.
listening() { grep -o -E '/run/libvirt/(libvirt|virtqemud)-sock$' /proc/net/unix | sort -u; }
fact listening listening
units() {
  [ -d /run/systemd/system ] || return 127
  for each in libvirtd.service libvirtd.socket virtqemud.service virtqemud.socket virtnetworkd.socket virtstoraged.socket; do
    echo "$each $($limit systemctl is-active "$each" 2>/dev/null) $($limit systemctl is-enabled "$each" 2>/dev/null)"
  done
}
fact units units
fact libvirtd run libvirtd --version
fact virtqemud run virtqemud --version
emulator() { run qemu-system-x86_64 --version || run qemu-kvm --version; }
fact qemu emulator
settings() {
  [ -e "$1" ] || return 127
  [ -r "$1" ] || { echo unreadable; return 1; }
  grep -E '^[[:space:]]*[a-z_]+[[:space:]]*=' "$1"
}
fact qemu-conf settings /etc/libvirt/qemu.conf
fact libvirtd-conf settings /etc/libvirt/libvirtd.conf
fact network-conf settings /etc/libvirt/network.conf
polkit() {
  grep -l org.libvirt.unix.manage /etc/polkit-1/rules.d/* /usr/share/polkit-1/rules.d/* /etc/polkit-1/localauthority/*/*.pkla 2>/dev/null
}
fact polkit polkit

# --- who may read the images
apparmor() {
  [ -r /sys/module/apparmor/parameters/enabled ] || return 127
  cat /sys/module/apparmor/parameters/enabled
  grep -E '^(libvirt|virt|/usr/s?bin/libvirtd|/usr/lib/libvirt)' /sys/kernel/security/apparmor/profiles 2>&1
}
fact apparmor apparmor
allowed() { cat /etc/apparmor.d/local/abstractions/libvirt-qemu /etc/apparmor.d/abstractions/libvirt-qemu.d/* 2>/dev/null | grep -v '^[[:space:]]*#'; }
fact apparmor-local allowed
fact apparmor-denied kernel_log 'apparmor="DENIED".*profile="(libvirt|virt-aa-helper)'
selinux() { [ -r /sys/fs/selinux/enforce ] || return 127; cat /sys/fs/selinux/enforce; }
fact selinux selinux
label() { [ -r /sys/fs/selinux/enforce ] || return 127; stat -c %C "$pool"; }
fact pool-label label
# The pool's folder and those above it, as far as they are there.
parents() {
  path=$pool
  while :; do
    if [ -e "$path" ]; then
      stat -c '%a %u %g %n' "$path"
      run getfacl -cnp "$path" 2>/dev/null | sed -n 's/^user:\([0-9][0-9]*\):..x.*/acl \1/p'
    fi
    if [ "$path" = / ]; then break; fi
    path=$(dirname "$path")
  done
}
fact pool-path parents
room() {
  [ -n "$1" ] || return 127
  path=$1
  until [ -e "$path" ] || [ "$path" = / ]; do path=$(dirname "$path"); done
  df -Pk "$path" | tail -n 1
}
fact pool-room room "$pool"
fact data-room room "$data"

# --- networks
fact addresses run ip -4 -o addr show
fact routes run ip -4 route show
bridges() { for each in /sys/class/net/*/bridge; do [ ! -d "$each" ] || basename "$(dirname "$each")"; done; }
fact bridges bridges
forward() { for each in ipv4/ip_forward bridge/bridge-nf-call-iptables; do [ ! -r "/proc/sys/net/$each" ] || echo "$each $(cat "/proc/sys/net/$each")"; done; }
fact sysctl forward
# The legacy iptables would load its kernel modules only to show that they are empty.
filter() {
  command -v iptables >/dev/null 2>&1 || return 127
  case $(iptables --version) in
    *nf_tables*) ;;
    *)
      [ -e /proc/net/ip_tables_names ] || return 0
      [ -r /proc/net/ip_tables_names ] || return 126
      grep -q -x filter /proc/net/ip_tables_names || return 0
      ;;
  esac
  run iptables -w 2 -S
}
fact iptables filter
chains() { run nft list ruleset >/dev/null 2>&1 || return; run nft list ruleset | sed -n -E '/^table|^[[:space:]]*(chain|type)/p'; }
fact nft chains
docker() { [ -S /run/docker.sock ] || return 127; echo running; }
fact docker docker
ufw() {
  [ -e /etc/ufw/ufw.conf ] || return 127
  grep -h -E '^(ENABLED|DEFAULT_INPUT_POLICY|DEFAULT_FORWARD_POLICY)=' /etc/ufw/ufw.conf /etc/default/ufw
}
fact ufw ufw
firewalld() { run firewall-cmd --state && run firewall-cmd --get-zones; }
fact firewalld firewalld

# --- what there is, and with what
memory() { grep -E '^(MemTotal|MemAvailable|SwapFree):' /proc/meminfo; }
fact memory memory
tools() {
  for each in ssh qemu-img xsltproc virsh dnsmasq ip setfacl sysctl modprobe; do
    if command -v "$each" >/dev/null 2>&1; then echo "$each $(command -v "$each")"; fi
  done
}
fact tools tools
fact ssh run ssh -V
fact qemu-img run qemu-img --version
# The last line: without it, the output was cut off.
echo '== end'
