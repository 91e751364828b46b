// What a machine is for, guessed from what it is called and what is installed on it: only a picture hangs on it.

import { type Machine, words } from "./model";

export type Role = "server" | "web" | "database" | "cache" | "balancer" | "router" | "firewall" | "directory" | "monitoring" | "cluster" | "desktop" | "attacker" | "target" | "mail" | "dns" | "storage" | "logs" | "queue";

const names: [Role, RegExp][] = [
  ["database", /\b(db|database|postgres\w*|mysql|mariadb|mongo\w*|oracle|sql)\b/],
  ["balancer", /\b(lb|balancer|load-?balancer|haproxy|proxy|ingress|traefik|envoy)\b/],
  ["router", /\b(router|gw|gateway|rtr|edge|vpn)\b/],
  ["firewall", /\b(fw|firewall|pfsense|opnsense)\b/],
  ["directory", /\b(dc|ad|domain|ldap|samba|ipa|kdc|directory)\b/],
  ["monitoring", /\b(monitor\w*|prometheus|grafana|zabbix|nagios|metrics|mon)\b/],
  ["logs", /\b(logs?|elastic\w*|kibana|loki|siem|splunk|wazuh|graylog|soc)\b/],
  ["cluster", /\b(k8s|k3s|kube\w*|node|worker|control|controller|master|etcd|swarm|nomad)\b/],
  ["attacker", /\b(attacker|kali|red|parrot)\b/],
  ["target", /\b(target|victim|vulnerable|dvwa|metasploitable)\b/],
  ["cache", /\b(cache|redis|memcached?|varnish)\b/],
  ["queue", /\b(queue|mq|rabbit\w*|kafka|nats|broker)\b/],
  ["mail", /\b(mail|smtp|imap|postfix|mx)\b/],
  ["dns", /\b(dns|ns|bind|resolver)\b/],
  ["storage", /\b(nfs|storage|ceph|nas|backup|files?|minio|s3|san)\b/],
  ["desktop", /\b(desk|desktop|pc|client|workstation|laptop|ws|user)\b/],
  ["web", /\b(web|www|nginx|apache2?|httpd|app|front|frontend|api|site)\b/],
];

export function role({ name, image, raw }: Pick<Machine, "name" | "image" | "raw">): Role {
  const find = (text: string) => names.find(([, words]) => words.test(text))?.[0];
  return find(name.replace(/[-_0-9]+/g, " ")) ?? find(words(raw.packages).join(" ")) ?? find(image ?? "") ?? "server";
}
