// The frame of a lab's pages: its name, its state, and a tab for each page.

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Page } from "../../components/frame";
import { State } from "../../components/state";
import { labQuery } from "../../lib/queries";
import { labState } from "../../lib/words";

export function LabFrame({ lab, actions, bare, children }: { lab: string; tab: string; actions?: ReactNode; bare?: boolean; children: ReactNode }) {
  const { t } = useTranslation();
  const status = useQuery(labQuery(lab)).data;
  return (
    <Page
      title={
        <>
          <Link to="/labs" className="text-dim">
            {t(($) => $.labs)}
          </Link>
          <span className="text-dim">/</span>
          <span className="truncate" title={lab}>
            {lab}
          </span>
        </>
      }
      state={status && <State {...labState(status.state)} />}
      actions={actions}
      bare={bare}
    >
      {children}
    </Page>
  );
}
