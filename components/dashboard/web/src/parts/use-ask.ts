import { useEffect, useState } from "preact/hooks";
import { ask, AskError } from "../live/ask.ts";

export interface Asked<Document> {
  /** The last answer; it stays while another one is waited for. */
  document: Document | null;
  error: AskError | null;
  busy: boolean;
}

/** A document that is asked for whenever `url` or `again` changes; null asks nothing. What was asked before is given up. */
export function useAsk<Document>(url: string | null, again: unknown = null): Asked<Document> {
  const [asked, set] = useState<Asked<Document>>({ document: null, error: null, busy: url !== null });
  useEffect(() => {
    if (url === null) {
      set({ document: null, error: null, busy: false });
      return;
    }
    const controller = new AbortController();
    set((before) => ({ ...before, busy: true }));
    ask<Document>(url, { signal: controller.signal }).then(
      (document) => set({ document, error: null, busy: false }),
      (error: unknown) => {
        if (controller.signal.aborted) return;
        const told = error instanceof AskError ? error : new AskError(null, String(error));
        set((before) => ({ ...before, error: told, busy: false }));
      },
    );
    return () => controller.abort();
  }, [url, again]);
  return asked;
}
