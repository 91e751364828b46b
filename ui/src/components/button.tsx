import type { ButtonHTMLAttributes } from "react";

type Kind = "primary" | "plain" | "danger" | "quiet";

const kinds: Record<Kind, string> = {
  primary: "bg-ink text-on-ink hover:opacity-90 border-transparent font-strong",
  plain: "bg-raised text-text border-line-strong hover:bg-hover",
  danger: "bg-failed text-on-ink hover:opacity-90 border-transparent font-strong",
  quiet: "bg-transparent text-dim border-transparent hover:bg-hover hover:text-text",
};

export function Button({ kind = "plain", className = "", ...rest }: ButtonHTMLAttributes<HTMLButtonElement> & { kind?: Kind }) {
  return (
    <button
      type="button"
      className={`inline-flex h-7 shrink-0 items-center gap-1.5 rounded-ui border px-2.5 text-base whitespace-nowrap disabled:opacity-45 disabled:pointer-events-none ${kinds[kind]} ${className}`}
      {...rest}
    />
  );
}
