import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { HostSummary } from "../bindings";
import { Button } from "../components/button";
import { Empty, Loading, Page } from "../components/frame";
import { Failed } from "../components/notice";
import { AddHost } from "../features/hosts/add-host";
import { HostTable } from "../features/hosts/host-table";
import { RemoveHost } from "../features/hosts/remove-host";
import { useActions } from "../lib/actions";
import { hostsQuery } from "../lib/queries";

export function HostsPage() {
  const { t } = useTranslation("hosts");
  const { t: c } = useTranslation();
  const navigate = useNavigate();
  const hosts = useQuery(hostsQuery);
  const [asked, setAsked] = useState<"add" | HostSummary | null>(null);
  const close = () => setAsked(null);
  useActions([
    { id: "host-add", title: t(($) => $.actions.add), group: c(($) => $.hosts), keys: "a", run: () => setAsked("add") },
    ...(hosts.data ?? []).map(({ name }) => ({
      id: `host ${name}`,
      title: t(($) => $.actions.open, { name }),
      group: c(($) => $.hosts),
      run: () => void navigate({ to: "/hosts/$host", params: { host: name } }),
    })),
    ...(hosts.data ?? []).filter(({ is_local }) => !is_local).map((host) => ({ id: `host-remove ${host.name}`, title: t(($) => $.actions.remove, { name: host.name }), group: c(($) => $.hosts), run: () => setAsked(host) })),
  ]);
  const add = (
    <Button kind="primary" onClick={() => setAsked("add")}>
      {t(($) => $.actions.add)}
    </Button>
  );
  return (
    <Page title={c(($) => $.hosts)} actions={add}>
      {hosts.isPending ? (
        <Loading what={c(($) => $.hosts)} />
      ) : hosts.isError ? (
        <Failed title={t(($) => $.listFailed)} error={hosts.error} onRetry={() => void hosts.refetch()} />
      ) : hosts.data.length === 0 ? (
        <Empty title={t(($) => $.noHosts.title)}>
          <p className="text-dim">{t(($) => $.noHosts.message)}</p>
          {add}
        </Empty>
      ) : (
        <HostTable hosts={hosts.data} onRemove={setAsked} />
      )}
      {asked === "add" && <AddHost onClose={close} onAdded={close} />}
      {asked !== null && asked !== "add" && <RemoveHost host={asked} onClose={close} onRemoved={close} />}
    </Page>
  );
}
