import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useDeferredValue, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Page } from "../components/frame";
import { Select } from "../components/select";
import { ActivityFilter, ActivityTable, useRecord } from "../features/activity/activity";
import { LabFrame } from "../features/labs/frame";
import { useActions } from "../lib/actions";
import { labsQuery } from "../lib/queries";

export function ActivityPage() {
  const { t } = useTranslation("settings");
  const { t: c } = useTranslation();
  const navigate = useNavigate();
  const { text = "", lab } = useSearch({ from: "/activity" });
  const labs = useQuery(labsQuery);
  const record = useRecord();
  const field = useFilterKey();
  const names = labs.data?.map(({ name }) => name) ?? [];
  const go = (search: { text?: string; lab?: string }) => void navigate({ to: "/activity", search, replace: true });
  return (
    <Page title={c(($) => $.activity)} actions={record.actions}>
      {record.found}
      <div className="flex items-center gap-2">
        <ActivityFilter ref={field} text={text} onText={(text) => go({ text, lab })} />
        <Select
          id="activity-lab"
          aria-label={t(($) => $.activity.lab)}
          className="w-52"
          value={lab ?? ""}
          onChange={(event) => go({ text, lab: event.target.value })}
          options={[{ value: "", label: t(($) => $.activity.allLabs) }, ...[...new Set([...names, ...(lab ? [lab] : [])])].map((name) => ({ value: name, label: name }))]}
        />
      </div>
      <ActivityTable lab={lab ?? null} text={useDeferredValue(text)} labs={new Set(names)} onClear={() => go({})} onLab={(lab) => go({ text, lab })} />
    </Page>
  );
}

export function LabActivityPage() {
  const { lab } = useParams({ from: "/labs/$lab/activity" });
  const [text, setText] = useState("");
  const field = useFilterKey();
  return (
    <LabFrame lab={lab} tab="activity">
      <div className="flex">
        <ActivityFilter ref={field} text={text} onText={setText} />
      </div>
      <ActivityTable lab={lab} text={useDeferredValue(text)} labs={new Set()} onClear={text ? () => setText("") : undefined} />
    </LabFrame>
  );
}

function useFilterKey() {
  const { t } = useTranslation("settings");
  const { t: c } = useTranslation();
  const field = useRef<HTMLInputElement>(null);
  useActions([{ id: "activity-filter", title: t(($) => $.activity.filter), group: c(($) => $.activity), keys: "/", run: () => field.current?.focus() }]);
  return field;
}
