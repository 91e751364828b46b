import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { Ellipsis } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Button } from "../components/button";
import { activeTab, inactiveTab, Loading, Page, Tabs, tab as tabClass } from "../components/frame";
import { type Entry, Menu } from "../components/menu";
import { Failed } from "../components/notice";
import { State } from "../components/state";
import { addressOf } from "../features/hosts/address";
import { HostDoctor } from "../features/hosts/doctor";
import { HostOverview } from "../features/hosts/overview";
import { RemoveHost } from "../features/hosts/remove-host";
import { HostDomains, HostNetworks, HostPools } from "../features/hosts/things";
import { useActions } from "../lib/actions";
import { copy } from "../lib/copy";
import { hostQuery, hostsQuery } from "../lib/queries";

const tabs = ["overview", "domains", "networks", "pools", "doctor"] as const;

export function HostPage() {
  const { t } = useTranslation("hosts");
  const { t: c } = useTranslation();
  const navigate = useNavigate();
  const { host: name } = useParams({ from: "/hosts/$host" });
  const search = useSearch({ from: "/hosts/$host" });
  const tab = tabs.find((one) => one === search.tab) ?? "overview";
  const hosts = useQuery(hostsQuery);
  const status = useQuery(hostQuery(name));
  const [removing, setRemoving] = useState(false);
  const host = hosts.data?.find((one) => one.name === name);
  const address = host ? addressOf(host) : null;
  const go = (to: (typeof tabs)[number]) => void navigate({ to: "/hosts/$host", params: { host: name }, search: to === "overview" ? {} : { tab: to } });
  const group = c(($) => $.hosts);
  useActions([
    ...tabs.map((one, index) => ({ id: `host-tab ${one}`, title: t(($) => $.tabs[one]), group: name, keys: String(index + 1), run: () => go(one) })),
    { id: "host-again", title: t(($) => $.actions.again, { name }), group, run: () => void status.refetch() },
    ...(address
      ? [
          { id: "host-copy", title: t(($) => $.actions.copy), group, run: () => void copy(address) },
          { id: "host-remove", title: t(($) => $.actions.remove, { name }), group, run: () => setRemoving(true) },
        ]
      : []),
  ]);
  const entries: Entry[] = [
    { label: t(($) => $.actions.again, { name }), onSelect: () => void status.refetch() },
    ...(address ? ([{ label: t(($) => $.actions.copy), onSelect: () => void copy(address) }, "line", { label: t(($) => $.actions.remove, { name }), danger: true, onSelect: () => setRemoving(true) }] satisfies Entry[]) : []),
  ];
  return (
    <Page
      title={
        <>
          <Link to="/hosts" className="shrink-0 font-normal text-dim hover:text-text">
            {c(($) => $.hosts)}
          </Link>
          <span aria-hidden className="font-normal text-dim">
            /
          </span>
          <span className="min-w-0 truncate" title={name}>
            {name}
          </span>
        </>
      }
      state={!host ? null : status.isError ? <State tone="failed" word={t(($) => $.unreachable)} /> : status.data ? <State tone="running" word={t(($) => $.connected)} /> : <State tone="changing" word={t(($) => $.connecting)} />}
      actions={
        <Menu entries={entries}>
          <Button kind="quiet" aria-label={c(($) => $.actionsOf, { name })}>
            <Ellipsis className="size-4" />
          </Button>
        </Menu>
      }
      tabs={
        <Tabs label={t(($) => $.tabs.label, { name })}>
          {tabs.map((one) => (
            <Link
              key={one}
              to="/hosts/$host"
              params={{ host: name }}
              search={one === "overview" ? {} : { tab: one }}
              activeOptions={{ exact: true, includeSearch: true }}
              className={tabClass}
              activeProps={activeTab}
              inactiveProps={inactiveTab}
            >
              {t(($) => $.tabs[one])}
            </Link>
          ))}
        </Tabs>
      }
    >
      {hosts.isPending ? (
        <Loading what={name} rows={6} />
      ) : hosts.isError ? (
        <Failed title={t(($) => $.listFailed)} error={hosts.error} onRetry={() => void hosts.refetch()} />
      ) : !host ? (
        <Failed title={t(($) => $.missing, { name })} error={t(($) => $.missingHint)} />
      ) : tab === "domains" ? (
        <HostDomains host={name} />
      ) : tab === "networks" ? (
        <HostNetworks host={name} />
      ) : tab === "pools" ? (
        <HostPools host={name} />
      ) : tab === "doctor" ? (
        <HostDoctor host={host} />
      ) : (
        <HostOverview host={host} />
      )}
      {removing && host && <RemoveHost host={host} onClose={() => setRemoving(false)} onRemoved={() => void navigate({ to: "/hosts" })} />}
    </Page>
  );
}
