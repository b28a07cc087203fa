import { useLayoutEffect, useRef } from "preact/hooks";
import type { Mistake } from "../live/documents.ts";

/** Where a mistake stands, as index into the text: its column counts characters from 1. Past the end of the line it is the end of the line. */
export function place(text: string, { line, column }: Pick<Mistake, "line" | "column">): number {
  const lines = text.split("\n");
  const before = lines.slice(0, line - 1).reduce((all, one) => all + one.length + 1, 0);
  const characters = [...(lines[line - 1] ?? "")].slice(0, column - 1);
  return Math.min(before + characters.join("").length, text.length);
}

interface Props {
  text: string;
  edit: (text: string) => void;
  mistakes: Mistake[];
}

/** A text area with the numbers of its lines; lines with a mistake are marked, and the mistakes are listed below with what helps. */
export function Editor({ text, edit, mistakes }: Props) {
  const area = useRef<HTMLTextAreaElement>(null);
  const gutter = useRef<HTMLDivElement>(null);
  const wrong = new Set(mistakes.map((one) => one.line));
  const follow = () => {
    if (area.current && gutter.current) gutter.current.scrollTop = area.current.scrollTop;
  };
  useLayoutEffect(follow, [text]);
  const lead = (mistake: Mistake) => {
    const editor = area.current;
    if (!editor) return;
    const at = place(text, mistake);
    editor.focus();
    editor.setSelectionRange(at, at + 1);
    const height = parseFloat(getComputedStyle(editor).lineHeight);
    editor.scrollTop = Math.max(0, (mistake.line - 4) * height);
    follow();
  };
  return (
    <div class="editor">
      <div class="code">
        <div class="gutter" ref={gutter} aria-hidden="true">
          {text.split("\n").map((_, index) => (
            <div key={index} class={wrong.has(index + 1) ? "wrong" : undefined} data-line={index + 1}>
              {wrong.has(index + 1) ? "✕ " : ""}
              {index + 1}
            </div>
          ))}
        </div>
        <textarea
          ref={area}
          aria-label="Program"
          aria-invalid={mistakes.length > 0}
          aria-describedby={mistakes.length > 0 ? "mistakes" : undefined}
          spellcheck={false}
          autocapitalize="off"
          autocomplete="off"
          wrap="off"
          value={text}
          onInput={(event) => edit(event.currentTarget.value)}
          onScroll={follow}
        />
      </div>
      {mistakes.length > 0 ? (
        <ul class="mistakes" id="mistakes">
          {mistakes.map((mistake, index) => (
            <li key={index} data-line={mistake.line}>
              <button type="button" onClick={() => lead(mistake)}>
                Line {mistake.line}, column {mistake.column}
              </button>{" "}
              {mistake.message}
              {mistake.help ? <span class="help"> {mistake.help}</span> : null}
            </li>
          ))}
        </ul>
      ) : null}
    </div>
  );
}
