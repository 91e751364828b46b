# Boots the sector on standard input emulated, then on KVM; prints for each QEMU's exit status and milliseconds.
[ -r /dev/kvm ] && [ -w /dev/kvm ] || { echo no access; exit; }
disk=$(mktemp) || exit
trap 'rm -f "$disk"' EXIT
cat >"$disk"
boot() {
  how=$1; shift
  begun=$(date +%s%N)
  timeout 5 "$emulator" "$@" -machine pc -m 16 -nodefaults -no-user-config -display none \
    -device isa-debug-exit,iobase=0xf4,iosize=0x04 -drive "file=$disk,format=raw,if=floppy,readonly=on" >/dev/null 2>&1
  echo "$how $? $((($(date +%s%N) - begun) / 1000000))"
}
boot tcg -accel tcg
boot kvm -accel kvm -cpu host
