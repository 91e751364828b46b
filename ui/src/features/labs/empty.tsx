import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Empty } from "../../components/frame";

/** Where no lab is yet: what one is, and how to come by one. */
export function EmptyLabs({ children }: { children: ReactNode }) {
  const { t } = useTranslation("labs");
  return (
    <Empty picture={<Picture />} title={t(($) => $.list.emptyTitle)}>
      <p className="text-dim">{t(($) => $.list.empty)}</p>
      {children}
    </Empty>
  );
}

function Picture() {
  return (
    <svg width="260" height="112" viewBox="0 0 260 112" fill="none" aria-hidden="true" className="mb-2">
      <g stroke="var(--line-strong)" strokeWidth="1.5">
        <rect x="16" y="50" width="228" height="12" rx="6" fill="var(--selected)" />
        <path d="M66 50V34M130 62V78M194 50V34" />
        <rect x="38" y="8" width="56" height="26" rx="5" fill="var(--panel)" />
        <rect x="166" y="8" width="56" height="26" rx="5" fill="var(--panel)" />
        <rect x="102" y="78" width="56" height="26" rx="5" fill="var(--panel)" />
      </g>
      <circle cx="49" cy="21" r="3.5" fill="var(--state-running)" />
      <circle cx="113" cy="91" r="3.5" fill="var(--state-running)" />
      <circle cx="177" cy="21" r="3" stroke="var(--state-unknown)" strokeWidth="1.5" />
      <g stroke="var(--line-strong)" strokeWidth="2" strokeLinecap="round">
        <path d="M60 21H82M124 91H146M188 21H210" />
      </g>
    </svg>
  );
}
