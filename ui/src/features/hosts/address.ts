import type { HostSummary } from "../../bindings";

/** How a host is reached, as ssh would be told; none for this computer. */
export const addressOf = ({ address, user, port }: HostSummary): string | null => address && `${user ? `${user}@` : ""}${address}${port && port !== 22 ? `:${port}` : ""}`;
