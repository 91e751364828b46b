//! Where machines go: what the file says, then what binds them together, then room.

use std::fmt::Write;

use expect_test::{Expect, expect};
use vlm_lab::{
    file,
    place::{Offer, Placement, place},
};

/// `settled` and `offers` as `machine=host …` and `host=MiB …`.
fn check(body: &str, settled: &str, offers: &str, expected: Expect) {
    let text = format!(
        "version: 1\nname: x\ndefaults: {{ image: i, memory: 1 GiB }}\nnetworks: {{ a: {{ cidr: 10.1.1.0/24 }}, \
         b: {{ cidr: 10.1.2.0/24 }}, wire: {{ mode: bridge, bridge: br0 }} }}\n{body}"
    );
    let lab = file::read(&text).expect("the lab can be read");
    let pairs = |text: &str| -> Vec<(String, String)> {
        text.split_whitespace()
            .map(|pair| pair.split_once('=').expect("a pair"))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    };
    let settled: Placement = pairs(settled).into_iter().collect();
    let offers: Vec<Offer> = pairs(offers)
        .into_iter()
        .map(|(host, free)| Offer { host, free_memory_mib: free.parse().expect("a number") })
        .collect();
    let text = match place(&lab, &settled, &offers) {
        Ok(placement) => placement.iter().fold(String::new(), |mut text, (machine, host)| {
            let _ = writeln!(text, "{machine}: {host}");
            text
        }),
        Err(spans) => format!("{spans}\n"),
    };
    expected.assert_eq(&text);
}

#[test]
fn without_a_word_about_hosts_it_is_this_computer() {
    check(
        "machines: { m: {}, n: { nics: [wire] } }",
        "",
        "",
        expect![[r#"
            m: local
            n: local
        "#]],
    );
}

#[test]
fn machines_of_one_network_stand_together_and_groups_go_where_most_is_left() {
    let body = "machines:\n  big: { memory: 4 GiB, nics: [a] }\n  by: { nics: [a, wire] }\n  one: { nics: [b] }\n  \
                free: { nics: [wire], replicas: 2 }\n";
    check(
        body,
        "",
        "small=3000 large=8000",
        expect![[r#"
            big: large
            by: large
            free-1: large
            free-2: small
            one: small
        "#]],
    );
}

#[test]
fn the_file_comes_first_then_what_is_settled_and_both_bind_the_others_of_the_network() {
    let body =
        "machines:\n  named: { host: h1, nics: [a] }\n  with: { nics: [a] }\n  old: { nics: [b] }\n  new: { nics: [b] }\n";
    check(
        body,
        "old=h2",
        "h3=9000",
        expect![[r#"
            named: h1
            new: h2
            old: h2
            with: h1
        "#]],
    );
}

#[test]
fn a_network_that_would_span_hosts_is_named() {
    check(
        "machines:\n  x: { host: h1, nics: [a] }\n  y: { nics: [a, b] }\n  z: { host: h2, nics: [b] }\n",
        "",
        "",
        expect![[r#"
            network `b` cannot span hosts yet: machine `x` is on host `h1`, machine `z` on host `h2`; put them on one host, or join them by a bridge that both hosts have (`mode: bridge`)
        "#]],
    );
    check(
        "machines:\n  x: { host: h1, nics: [wire] }\n  z: { host: h2, nics: [wire] }\n",
        "",
        "",
        expect![[r#"
            x: h1
            z: h2
        "#]],
    );
}
