// lab.yaml as text. It shows what is typed and what the canvas does to it, and keeps no history of its own: undo goes over both.

import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, type CompletionContext } from "@codemirror/autocomplete";
import { defaultKeymap, indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, foldGutter, foldKeymap, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, lintGutter, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Annotation, EditorState, type Extension, StateEffect, StateField } from "@codemirror/state";
import { Decoration, type DecorationSet, drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { type Ref, useEffect, useImperativeHandle, useRef } from "react";
import { useTranslation } from "react-i18next";
import type { Problem } from "../../bindings";
import { offers, spotAt, type Known } from "./completion";
import type { Mistake } from "./model";

export type EditorHandle = {
  /** Puts the cursor there. */
  go: (from: number) => void;
  /** Brings a place into sight and marks it; nothing takes the mark away. */
  mark: (range: [number, number] | null) => void;
};

type Props = {
  ref?: Ref<EditorHandle>;
  text: string;
  onText: (text: string) => void;
  onUndo: () => void;
  onRedo: () => void;
  /** The cursor was put somewhere by its user. */
  onCursor: (offset: number) => void;
  problems: Problem[];
  mistake: Mistake | null;
  schema: object | null;
  known: Known;
};

/** What comes from outside of the editor. */
const Outside = Annotation.define<boolean>();
const setMark = StateEffect.define<[number, number] | null>();
const line = Decoration.line({ class: "cm-marked" });
const marks = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(marks, transaction) {
    for (const effect of transaction.effects)
      if (effect.is(setMark)) {
        if (!effect.value) return Decoration.none;
        const { doc } = transaction.state;
        const from = doc.lineAt(Math.min(effect.value[0], doc.length)).number;
        const to = doc.lineAt(Math.min(effect.value[1], doc.length)).number;
        return Decoration.set(Array.from({ length: Math.min(500, to - from + 1) }, (_, index) => line.range(doc.line(from + index).from)));
      }
    return marks.map(transaction.changes);
  },
  provide: (field) => EditorView.decorations.from(field),
});

const colours = HighlightStyle.define([
  { tag: [tags.definition(tags.propertyName), tags.propertyName], color: "var(--accent)" },
  { tag: tags.comment, color: "var(--dim)", fontStyle: "italic" },
  { tag: tags.string, color: "var(--state-running)" },
  { tag: [tags.labelName, tags.typeName, tags.keyword, tags.meta], color: "var(--state-attention)" },
  { tag: [tags.punctuation, tags.separator, tags.squareBracket, tags.brace], color: "var(--dim)" },
]);

const looks = EditorView.theme({
  "&": { height: "100%", fontSize: "12px", backgroundColor: "var(--panel)", color: "var(--text)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--font-mono, 'JetBrains Mono Variable', monospace)", lineHeight: "18px" },
  ".cm-content": { caretColor: "var(--text)", padding: "6px 0" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  ".cm-gutters": { backgroundColor: "var(--panel)", color: "var(--dim)", border: "none" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "transparent" },
  "&.cm-focused .cm-activeLine, &.cm-focused .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--hover) 60%, transparent)" },
  ".cm-marked": { backgroundColor: "color-mix(in srgb, var(--accent) 9%, transparent)", boxShadow: "inset 2px 0 var(--accent)" },
  "& .cm-selectionBackground, &.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground": { backgroundColor: "color-mix(in srgb, var(--accent) 26%, transparent)" },
  ".cm-selectionMatch": { backgroundColor: "color-mix(in srgb, var(--state-attention) 22%, transparent)" },
  ".cm-searchMatch": { backgroundColor: "color-mix(in srgb, var(--state-attention) 30%, transparent)" },
  ".cm-searchMatch-selected": { backgroundColor: "color-mix(in srgb, var(--state-attention) 60%, transparent)" },
  ".cm-matchingBracket": { backgroundColor: "var(--selected)", outline: "1px solid var(--line-strong)" },
  ".cm-foldPlaceholder": { backgroundColor: "var(--selected)", border: "none", color: "var(--dim)", padding: "0 4px" },
  ".cm-tooltip": { backgroundColor: "var(--raised)", border: "1px solid var(--line-strong)", borderRadius: "6px", color: "var(--text)", maxWidth: "420px", overflow: "hidden" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "inherit", maxHeight: "260px" },
  ".cm-tooltip-autocomplete ul li": { padding: "2px 8px", lineHeight: "20px" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--selected)", color: "var(--text)" },
  ".cm-completionDetail": { color: "var(--dim)", fontStyle: "normal", marginLeft: "12px" },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "560" },
  ".cm-completionInfo": { padding: "6px 8px", maxWidth: "260px", fontFamily: "var(--font-sans, 'Inter Variable', sans-serif)" },
  ".cm-diagnostic": { padding: "4px 8px", fontFamily: "var(--font-sans, 'Inter Variable', sans-serif)" },
  ".cm-diagnostic-error": { borderLeft: "3px solid var(--state-failed)" },
  ".cm-diagnostic-warning": { borderLeft: "3px solid var(--state-attention)" },
  ".cm-lintRange-error": { backgroundImage: "none", borderBottom: "2px solid var(--state-failed)" },
  ".cm-lintRange-warning": { backgroundImage: "none", borderBottom: "2px dotted var(--state-attention)" },
  ".cm-gutter-lint": { width: "12px" },
  ".cm-lint-marker": { width: "8px", height: "8px", padding: "5px 0 0 2px" },
  ".cm-lint-marker-error, .cm-lint-marker-warning": { content: '""' },
  ".cm-lint-marker-error::before": { content: '""', display: "block", width: "8px", height: "8px", transform: "rotate(45deg)", background: "var(--state-failed)" },
  ".cm-lint-marker-warning::before": { content: '""', display: "block", width: "8px", height: "8px", borderRadius: "50%", border: "2px solid var(--state-attention)", boxSizing: "border-box" },
  ".cm-panels": { backgroundColor: "var(--window)", color: "var(--text)" },
  ".cm-panels.cm-panels-bottom": { borderTop: "1px solid var(--line)" },
  ".cm-panel.cm-search": { padding: "6px 8px", fontFamily: "var(--font-sans, 'Inter Variable', sans-serif)" },
  ".cm-panel.cm-search label": { fontSize: "11.5px", color: "var(--dim)" },
  ".cm-textfield": { backgroundColor: "var(--panel)", border: "1px solid var(--line-strong)", borderRadius: "6px", fontSize: "12px", padding: "2px 6px" },
  ".cm-button": { backgroundColor: "var(--raised)", backgroundImage: "none", border: "1px solid var(--line-strong)", borderRadius: "6px", fontSize: "12px" },
});

export function TextEditor({ ref, ...props }: Props) {
  const { t, i18n } = useTranslation("designer");
  const place = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(null);
  const latest = useRef(props);
  latest.current = props;
  const label = t(($) => $.text.label);

  useEffect(() => {
    const complete = (context: CompletionContext) => {
      const { schema, known } = latest.current;
      const spot = spotAt(context.state.doc.toString(), context.pos);
      if (!schema || !spot || (!context.explicit && spot.word === "" && spot.kind === "key")) return null;
      return { from: spot.from, options: offers(schema, spot, known), validFor: /^[\w.-]*$/ };
    };
    const extensions: Extension[] = [
      lineNumbers(),
      foldGutter(),
      lintGutter(),
      drawSelection(),
      highlightActiveLine(),
      highlightSelectionMatches(),
      bracketMatching(),
      closeBrackets(),
      indentOnInput(),
      indentUnit.of("  "),
      EditorState.tabSize.of(2),
      yaml(),
      syntaxHighlighting(colours),
      autocompletion({ override: [complete], icons: false }),
      search(),
      marks,
      looks,
      EditorState.phrases.of(i18n.language === "fr" ? french : {}),
      EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false" }),
      keymap.of([
        { key: "Mod-z", run: () => (latest.current.onUndo(), true) },
        { key: "Mod-y", run: () => (latest.current.onRedo(), true) },
        { key: "Mod-Shift-z", run: () => (latest.current.onRedo(), true) },
        ...closeBracketsKeymap,
        ...defaultKeymap,
        ...searchKeymap,
        ...foldKeymap,
        ...completionKeymap,
        indentWithTab,
      ]),
      EditorView.updateListener.of((update) => {
        const isOutside = update.transactions.some((transaction) => transaction.annotation(Outside));
        if (isOutside) return;
        if (update.docChanged) latest.current.onText(update.state.doc.toString());
        if (update.selectionSet || update.docChanged) latest.current.onCursor(update.state.selection.main.head);
      }),
    ];
    const made = new EditorView({ parent: place.current!, state: EditorState.create({ doc: latest.current.text, extensions }) });
    view.current = made;
    return () => made.destroy();
  }, [label, i18n.language]);

  const { text, problems, mistake } = props;
  useEffect(() => {
    const editor = view.current;
    if (!editor) return;
    const old = editor.state.doc.toString();
    if (old === text) return;
    // Only what is different is put in: the cursor and what is in sight stay.
    let from = 0;
    const least = Math.min(old.length, text.length);
    while (from < least && old.charCodeAt(from) === text.charCodeAt(from)) from += 1;
    let end = 0;
    while (end < least - from && old.charCodeAt(old.length - 1 - end) === text.charCodeAt(text.length - 1 - end)) end += 1;
    editor.dispatch({ changes: { from, to: old.length - end, insert: text.slice(from, text.length - end) }, annotations: Outside.of(true) });
  }, [text]);

  useEffect(() => {
    const editor = view.current;
    if (!editor) return;
    editor.dispatch(setDiagnostics(editor.state, diagnostics(editor.state, problems, mistake)), { annotations: Outside.of(true) });
  }, [problems, mistake]);

  useImperativeHandle(
    ref,
    (): EditorHandle => ({
      go: (from) => {
        const editor = view.current;
        if (!editor) return;
        const at = Math.min(from, editor.state.doc.length);
        editor.dispatch({ selection: { anchor: at }, effects: EditorView.scrollIntoView(at, { y: "center" }), annotations: Outside.of(true) });
        editor.focus();
      },
      mark: (range) => {
        const editor = view.current;
        if (!editor) return;
        const scroll = range ? [EditorView.scrollIntoView(Math.min(range[0], editor.state.doc.length), { y: "start", yMargin: 48 })] : [];
        editor.dispatch({ effects: [setMark.of(range), ...scroll], annotations: Outside.of(true) });
      },
    }),
    [],
  );
  return <div ref={place} className="selectable min-h-0 flex-1 overflow-hidden" />;
}

function diagnostics(state: EditorState, problems: Problem[], mistake: Mistake | null): Diagnostic[] {
  const { doc } = state;
  const at = (line: number, column: number) => {
    const { from, to } = doc.line(Math.min(Math.max(1, line), doc.lines));
    const start = Math.min(to, from + column - 1);
    const word = /^[^\s,\]}]+/.exec(doc.sliceString(start, to))?.[0].length ?? 1;
    return { from: start, to: Math.max(start, Math.min(to, start + word)) };
  };
  const said = problems.filter(({ place }) => place).map(({ place, severity, message }): Diagnostic => ({ ...at(place!.line, place!.column), severity, message }));
  if (mistake && !said.some(({ severity }) => severity === "error")) said.push({ ...at(mistake.line, mistake.column), severity: "error", message: mistake.message });
  return said.sort((a, b) => a.from - b.from);
}

const french = {
  Find: "Chercher",
  Replace: "Remplacer",
  next: "suivant",
  previous: "précédent",
  all: "tout",
  "match case": "casse",
  regexp: "expression",
  "by word": "mot entier",
  replace: "remplacer",
  "replace all": "tout remplacer",
  close: "fermer",
  "No diagnostics": "Aucun problème",
  "Folded lines": "Lignes repliées",
  "Unfolded lines": "Lignes dépliées",
  to: "à",
  "folded code": "code replié",
  unfold: "déplier",
  "Fold line": "Replier la ligne",
  "Unfold line": "Déplier la ligne",
};
