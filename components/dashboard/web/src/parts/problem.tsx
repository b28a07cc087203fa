import type { AskError } from "../live/ask.ts";

/** What went wrong, with what the server says of it. Mistakes in a program are shown by the editor, at their line. */
export function Problem({ error, doing }: { error: AskError | null; doing: string }) {
  if (!error) return null;
  const { problem } = error;
  return (
    <div class="problem" role="alert">
      <strong>
        {doing}: {problem ? problem.title : "no answer"}
      </strong>
      <p>{problem ? problem.detail : error.message}</p>
    </div>
  );
}
