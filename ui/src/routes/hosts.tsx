import { useQuery } from "@tanstack/react-query";
import { Loading, Page } from "../components/frame";
import { Failed } from "../components/notice";
import { HostCard } from "../features/hosts/host-card";
import { hostsQuery } from "../lib/queries";

export function HostsRoute() {
  const hosts = useQuery(hostsQuery);
  return (
    <Page title="Hosts">
      {hosts.isPending && <Loading what="hosts" rows={2} />}
      {hosts.isError && <Failed title="Could not list the hosts" error={hosts.error} onRetry={() => void hosts.refetch()} />}
      {hosts.data?.map((host) => <HostCard key={host} name={host} />)}
    </Page>
  );
}
