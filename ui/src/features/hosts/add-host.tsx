import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { HostStatus, SshConfigHost } from "../../bindings";
import { Button } from "../../components/button";
import { Dialog } from "../../components/dialog";
import { Field } from "../../components/field";
import { Failed } from "../../components/notice";
import { Select } from "../../components/select";
import { Dot } from "../../components/state";
import { ipc } from "../../ipc";
import { hostQuery, hostsQuery } from "../../lib/queries";
import { mention } from "../../lib/toasts";
import { emptyForm, type HostForm, nameOf, offered, slips } from "./host-form";

/** Asks for a computer to run labs on, and connects to it. */
export function AddHost({ onClose, onAdded }: { onClose: () => void; onAdded: (host: HostStatus) => void }) {
  const { t } = useTranslation("hosts");
  const { t: c } = useTranslation();
  const client = useQueryClient();
  const hosts = useQuery(hostsQuery);
  const known = useQuery({ queryKey: ["hosts", null, "ssh"], queryFn: () => ipc.sshConfigHosts() });
  const identities = useQuery({ queryKey: ["hosts", null, "identities"], queryFn: () => ipc.sshIdentities() });
  const [form, setForm] = useState(emptyForm);
  const [chosen, setChosen] = useState<SshConfigHost | null>(null);
  // Nobody is told of a slip before there was a chance to make one.
  const [tried, setTried] = useState(false);
  const list = useRef<HTMLUListElement>(null);
  const field = useRef<HTMLDivElement>(null);
  const name = nameOf(form);
  const wrong = slips(form, hosts.data ?? []);
  const said = (part: keyof HostForm) => (wrong[part] && (tried || (part === "name" && wrong.name !== "nameForm")) ? t(($) => $.add.errors[wrong[part]!], { name }) : null);
  const add = useMutation({
    mutationFn: () => ipc.addHost(name, form.address.trim(), form.user.trim() || null, form.port.trim() ? Number(form.port) : null, form.identity || null),
    onSuccess: (host) => {
      client.setQueryData(hostQuery(name).queryKey, host);
      void client.invalidateQueries({ queryKey: ["hosts"] });
      mention(t(($) => $.add.added, { name, libvirt: host.libvirt, guests: host.kvm ? t(($) => $.kvm) : t(($) => $.tcg) }));
      onAdded(host);
    },
  });
  const set = (change: Partial<HostForm>) => setForm((now) => ({ ...now, ...change }));
  const take = (offer: SshConfigHost) => {
    setChosen(offer);
    set({ address: offer.alias });
  };
  const offers = offered(known.data ?? [], form.address);
  // What was taken from the list is settled: the list has said its part.
  const isSettled = chosen !== null && chosen.alias === form.address;
  const step = (by: number, from: Element | null) => {
    const rows = [...(list.current?.querySelectorAll("button") ?? [])];
    const at = rows.findIndex((row) => row === from) + by;
    if (at < 0) field.current?.querySelector("input")?.focus();
    else rows[Math.min(rows.length - 1, at)]?.focus();
  };
  return (
    <Dialog
      title={t(($) => $.add.title)}
      onClose={onClose}
      onSubmit={() => {
        setTried(true);
        if (Object.keys(wrong).length === 0 && !add.isPending) add.mutate();
      }}
      actions={
        <>
          <Button onClick={onClose}>{c(($) => $.cancel)}</Button>
          <Button kind="primary" type="submit" disabled={add.isPending}>
            {t(($) => $.add.submit)}
          </Button>
        </>
      }
    >
      <p className="text-dim">{t(($) => $.add.intro)}</p>
      <div
        ref={field}
        onKeyDown={(event) => {
          if (event.key === "ArrowDown") {
            event.preventDefault();
            step(1, null);
          }
        }}
      >
        <Field
          id="host-address"
          label={t(($) => $.add.address)}
          placeholder={t(($) => $.add.addressPlaceholder)}
          autoFocus
          value={form.address}
          disabled={add.isPending}
          error={said("address")}
          onChange={(event) => {
            setChosen(null);
            set({ address: event.target.value });
          }}
        />
      </div>
      <section aria-label={t(($) => $.add.offers)} className="flex h-37 flex-col rounded-ui border border-line">
        <h3 className="shrink-0 border-b border-line px-2 py-0.5 text-small text-dim">{t(($) => $.add.offers)}</h3>
        {known.data && offers.length === 0 && <p className="m-auto text-small text-dim">{known.data.length === 0 ? t(($) => $.add.offersEmpty) : t(($) => $.add.offersNone)}</p>}
        <ul
          ref={list}
          className="min-h-0 flex-1 overflow-y-auto"
          onKeyDown={(event) => {
            const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
            if (!by) return;
            event.preventDefault();
            step(by, document.activeElement);
          }}
        >
          {(isSettled && chosen ? [chosen] : offers.slice(0, 100)).map((offer) => (
            <li key={offer.alias}>
              <button type="button" disabled={add.isPending} aria-pressed={chosen === offer} className="flex h-7 w-full min-w-0 items-center gap-3 px-2 text-left hover:bg-hover focus-visible:bg-hover focus-visible:outline-offset-[-2px] aria-pressed:bg-selected" onClick={() => take(offer)}>
                <span className="min-w-24 shrink truncate font-mono">{offer.alias}</span>
                <span className="min-w-0 flex-1 truncate font-mono text-small text-dim">{reached(offer)}</span>
              </button>
            </li>
          ))}
        </ul>
      </section>
      <div className="grid grid-cols-[1fr_88px] gap-3">
        <Field id="host-user" label={t(($) => $.add.user)} placeholder={chosen?.user ?? t(($) => $.add.userPlaceholder)} value={form.user} disabled={add.isPending} error={said("user")} onChange={(event) => set({ user: event.target.value })} />
        <Field id="host-port" label={t(($) => $.add.port)} inputMode="numeric" placeholder={String(chosen?.port ?? t(($) => $.add.portPlaceholder))} value={form.port} disabled={add.isPending} error={said("port")} onChange={(event) => set({ port: event.target.value })} />
      </div>
      <Select
        id="host-identity"
        label={t(($) => $.add.identity)}
        value={form.identity}
        disabled={add.isPending}
        onChange={(event) => set({ identity: event.target.value })}
        options={[{ value: "", label: t(($) => $.add.identityDefault) }, ...(identities.data ?? []).map((path) => ({ value: path, label: path }))]}
      />
      <Field
        id="host-name"
        label={t(($) => $.add.name)}
        value={name}
        disabled={add.isPending}
        note={t(($) => $.add.nameNote, { name: name || "lab1" })}
        error={said("name")}
        onChange={(event) => set({ name: event.target.value })}
      />
      {add.isPending && (
        <div role="status" className="flex items-start gap-2.5 rounded-ui border border-line px-3 py-2">
          <span className="pt-1.5 leading-none">
            <Dot tone="changing" />
          </span>
          <div className="min-w-0 wrap-anywhere">
            <p className="text-changing">{t(($) => $.add.connecting, { address: form.address.trim() })}</p>
            <p className="text-small text-dim">{t(($) => $.add.steps)}</p>
          </div>
        </div>
      )}
      {add.isError && <Failed title={t(($) => $.add.failed, { name })} error={add.error} />}
    </Dialog>
  );
}

function reached({ alias, host_name, user, port }: SshConfigHost): string {
  const address = `${user ? `${user}@` : ""}${host_name ?? alias}${port && port !== 22 ? `:${port}` : ""}`;
  return address === alias ? "" : address;
}
