import { signal } from "@preact/signals";

/** What is read out. Said again, it is read again only if it differs. */
const said = signal("");

export function announce(text: string): void {
  said.value = text;
}

/** The one live region of the page: it speaks when the network's state changes in kind or the reader asks for something, never for numbers that count on. */
export function Announcer() {
  return (
    <p class="unseen" role="status" aria-live="polite" id="announcer">
      {said.value}
    </p>
  );
}
