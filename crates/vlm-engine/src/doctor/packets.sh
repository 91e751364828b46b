#!/bin/sh
# Two network namespaces: a guest on the bridge of a network, and somebody outside, behind the host. Wants $bridge, $guest and $gateway
# (the guest's address and the host's on the bridge), $far and $near (the other's and the host's towards it). `down` takes all away.
PATH=$PATH:/usr/sbin:/sbin
set -u
: "${action:=down}" "${bridge:=}" "${guest:=}" "${gateway:=}" "${far:=}" "${near:=}"
guests=vlm-doctor-guest others=vlm-doctor-far
down() {
  # Their devices go with them.
  for each in $guests $others; do ip netns del "$each" 2>/dev/null; done
  for each in vddguest vddfar; do ip link del "$each" 2>/dev/null; done
  return 0
}
down
[ "$action" = up ] || exit 0
set -e
trap 'down' HUP INT TERM
ip netns add $guests
ip netns add $others
ip link add vddguest type veth peer name eth0 netns $guests
ip link set vddguest master "$bridge" up
ip -n $guests addr add "$guest/24" dev eth0
ip -n $guests link set eth0 up
ip -n $guests route add default via "$gateway"
ip link add vddfar type veth peer name eth0 netns $others
ip addr add "$near/30" dev vddfar
ip link set vddfar up
ip -n $others addr add "$far/30" dev eth0
ip -n $others link set eth0 up
