import type { ProblemDocument } from "./documents.ts";

/** Why a request was not answered: a problem document, or what the browser says of the connection. */
export class AskError extends Error {
  /** @param problem What the server says, if it said anything that can be read. */
  constructor(
    readonly problem: ProblemDocument | null,
    message: string,
  ) {
    super(message);
  }
}

/** `path` with a query. Absent and empty values are left out; arrays are repeated. */
export function withQuery(path: string, query: Record<string, string | number | string[] | null | undefined>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") parameters.append(name, String(one));
    }
  }
  const text = parameters.toString();
  return text === "" ? path : `${path}?${text}`;
}

async function failure(response: Response): Promise<AskError> {
  const text = await response.text().catch(() => "");
  if (response.headers.get("content-type")?.startsWith("application/problem+json")) {
    try {
      const problem = JSON.parse(text) as ProblemDocument;
      return new AskError(problem, `${problem.title}: ${problem.detail}`);
    } catch {
      // Told as what it is, below.
    }
  }
  return new AskError(null, `the server answers ${response.status} ${response.statusText} ${text.slice(0, 200)}`.trim());
}

/** A JSON document. Throws an `AskError`, or what `fetch` throws when `signal` ends it. */
export async function ask<Document>(url: string, options: RequestInit = {}): Promise<Document> {
  let response: Response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new AskError(null, "the server cannot be reached: is it running?");
  }
  if (!response.ok) throw await failure(response);
  return (await response.json()) as Document;
}
