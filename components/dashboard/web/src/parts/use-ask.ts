import { useEffect, useRef, useState } from "preact/hooks";
import { ask, AskError } from "../live/ask.ts";

export interface Asked<Document> {
  /** The last answer; it stays while another one is waited for. */
  document: Document | null;
  error: AskError | null;
  busy: boolean;
}

/**
 * A document that is asked for whenever `url` or `again` changes; null asks nothing. What was asked before is given up. With `every` it is asked for again so many milliseconds after each answer, or as many
 * as that has taken, so that a network that is slow to answer is not kept busy by being looked at.
 */
export function useAsk<Document>(url: string | null, again: unknown = null, every: number | null = null): Asked<Document> {
  const [asked, set] = useState<Asked<Document>>({ document: null, error: null, busy: url !== null });
  const [turn, next] = useState(0);
  const took = useRef(0);
  useEffect(() => {
    if (url === null) {
      set({ document: null, error: null, busy: false });
      return;
    }
    const controller = new AbortController();
    const start = performance.now();
    set((before) => ({ ...before, busy: true }));
    ask<Document>(url, { signal: controller.signal }).then(
      (document) => {
        took.current = performance.now() - start;
        set({ document, error: null, busy: false });
      },
      (error: unknown) => {
        if (controller.signal.aborted) return;
        const told = error instanceof AskError ? error : new AskError(null, String(error));
        set((before) => ({ ...before, error: told, busy: false }));
      },
    );
    return () => controller.abort();
  }, [url, again, turn]);
  useEffect(() => {
    if (every === null || asked.busy) return;
    const timer = setTimeout(() => next((before) => before + 1), Math.max(every, took.current));
    return () => clearTimeout(timer);
  }, [every, asked]);
  return asked;
}
