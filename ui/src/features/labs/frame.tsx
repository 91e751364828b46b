// Until the frame of lab pages is there.

import type { ReactNode } from "react";
import { Page } from "../../components/frame";

export function LabFrame({ lab, state, actions, bare, children }: { lab: string; tab: "overview" | "design" | "plan" | "runs" | "files" | "activity"; state?: ReactNode; actions?: ReactNode; bare?: boolean; children: ReactNode }) {
  return (
    <Page title={lab} state={state} actions={actions} bare={bare}>
      {children}
    </Page>
  );
}
