//! Which addresses a download may lead to. A server that we ask may redirect us to anything; what only this computer or its
//! network can reach is not to be asked on its word.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether the whole internet means the same computer by this address.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    !(v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local() // also the metadata service of clouds
        || v4.is_broadcast()
        || v4.is_documentation()
        || a == 0
        || a >= 224 // multicast, reserved
        || (a == 100 && (64..128).contains(&b)) // shared by a provider's customers
        || (a, b, c) == (192, 0, 0)
        || (a, b, c) == (192, 88, 99)
        || (a == 198 && (18..20).contains(&b)))
}

fn is_public_v6(v6: Ipv6Addr) -> bool {
    // An IPv4 address in other clothes is what it is inside.
    if let Some(v4) = v6.to_ipv4_mapped() {
        return is_public_v4(v4);
    }
    let [a, b, c, d, e, f, ..] = v6.segments();
    let embedded = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match (a, b) {
        (0x64, 0xff9b) => [c, d, e, f] == [0; 4] && is_public_v4(embedded(v6.segments()[6], v6.segments()[7])), // NAT64
        (0x2002, _) => is_public_v4(embedded(b, c)),                                                            // 6to4
        (0x2001, 0..0x200) => false,                    // Teredo and other protocols of their own
        (0x2001, 0xdb8) | (0x3fff, 0..0x1000) => false, // documentation
        _ => a & 0xe000 == 0x2000,                      // all that is given out so far
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_everybody_can_reach_is_public() {
        for public in
            ["1.1.1.1", "100.63.255.255", "172.32.0.1", "198.20.0.1", "2a00:1450::1", "64:ff9b::101:101", "::ffff:8.8.8.8"]
        {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::1",
            "2002:a9fe:a9fe::",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "3fff::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }
}
