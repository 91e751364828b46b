import { AlignCenterHorizontal, AlignCenterVertical, AlignEndHorizontal, AlignEndVertical, AlignHorizontalDistributeCenter, AlignStartHorizontal, AlignStartVertical, AlignVerticalDistributeCenter, Code, Grid3x3, LayoutGrid, type LucideIcon, Maximize, PanelRight, Redo2, Search, Undo2, ZoomIn, ZoomOut } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Button } from "../../components/button";
import { Menu } from "../../components/menu";
import { Tip } from "../../components/tip";
import { cn } from "../../lib/cn";
import type { Align } from "./layout";
import type { Designer } from "./use-designer";

const aligns: [Align, LucideIcon][] = [
  ["left", AlignStartVertical],
  ["centre", AlignCenterVertical],
  ["right", AlignEndVertical],
  ["top", AlignStartHorizontal],
  ["middle", AlignCenterHorizontal],
  ["bottom", AlignEndHorizontal],
  ["across", AlignHorizontalDistributeCenter],
  ["down", AlignVerticalDistributeCenter],
];

type Props = {
  designer: Designer;
  snaps: boolean;
  onSnap: () => void;
  onAlign: (how: Align) => void;
  onArrange: () => void;
  onFit: () => void;
  onZoom: (by: number) => void;
  onFind: () => void;
  showText: boolean;
  onText: () => void;
  showInspector: boolean;
  onInspector: () => void;
};

export function Toolbar({ designer, snaps, onSnap, onAlign, onArrange, onFit, onZoom, onFind, showText, onText, showInspector, onInspector }: Props) {
  const { t } = useTranslation("designer");
  return (
    <div role="toolbar" aria-label={t(($) => $.group)} className="flex h-9 shrink-0 items-center gap-0.5 border-b border-line bg-panel px-2">
      <Tool icon={Undo2} text={t(($) => $.actions.undo)} keys="Ctrl+Z" disabled={!designer.canUndo} onClick={designer.undo} />
      <Tool icon={Redo2} text={t(($) => $.actions.redo)} keys="Ctrl+Shift+Z" disabled={!designer.canRedo} onClick={designer.redo} />
      <Gap />
      <Tool icon={LayoutGrid} text={t(($) => $.actions.arrange)} keys="A" onClick={onArrange} />
      <Menu align="start" entries={aligns.map(([how, Icon]) => ({ label: t(($) => $.actions[how]), icon: <Icon />, onSelect: () => onAlign(how) }))}>
        <Button kind="quiet" className="w-7 justify-center !px-0" title={t(($) => $.actions.align)} aria-label={t(($) => $.actions.align)} disabled={designer.selection.size < 2}>
          <AlignStartVertical className="size-4" />
        </Button>
      </Menu>
      <Tool icon={Grid3x3} text={t(($) => $.actions.snap)} keys="S" pressed={snaps} onClick={onSnap} />
      <Gap />
      <Tool icon={ZoomOut} text={t(($) => $.actions.zoomOut)} keys="-" onClick={() => onZoom(0.8)} />
      <Tool icon={ZoomIn} text={t(($) => $.actions.zoomIn)} keys="+" onClick={() => onZoom(1.25)} />
      <Tool icon={Maximize} text={t(($) => $.actions.fit)} keys="F" onClick={onFit} />
      <Tool icon={Search} text={t(($) => $.actions.find)} keys="Ctrl+F" onClick={onFind} />
      <span className="flex-1" />
      <Tool icon={Code} label={t(($) => $.actions.text)} text={t(($) => $.actions.showText)} keys="T" pressed={showText} onClick={onText} />
      <Tool icon={PanelRight} label={t(($) => $.actions.inspector)} text={t(($) => $.actions.showInspector)} keys="I" pressed={showInspector} onClick={onInspector} />
    </div>
  );
}

const Gap = () => <span aria-hidden className="mx-1 h-4 w-px bg-line" />;

function Tool({ icon: Icon, text, label, keys, pressed, disabled, onClick }: { icon: LucideIcon; text: string; label?: string; keys: string; pressed?: boolean; disabled?: boolean; onClick: () => void }) {
  return (
    <Tip text={text} keys={keys}>
      <Button kind="quiet" className={cn(label ? "px-2" : "w-7 justify-center !px-0", pressed && "!bg-selected !text-text")} aria-label={label ? undefined : text} aria-pressed={pressed} disabled={disabled} onClick={onClick}>
        <Icon className="size-4" aria-hidden />
        {label}
      </Button>
    </Tip>
  );
}
