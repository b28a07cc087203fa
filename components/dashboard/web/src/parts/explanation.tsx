import { counted } from "../format.ts";
import type { Explanation, Step } from "../live/documents.ts";
import { subterm } from "../term.ts";

/** A term with the part marked that is rewritten. */
function Term({ text, place }: { text: string; place: readonly number[] | null }) {
  const part = place && subterm(text, place);
  if (!part) return <code>{text}</code>;
  return (
    <code>
      {text.slice(0, part.start)}
      <mark>{text.slice(part.start, part.end)}</mark>
      {text.slice(part.end)}
    </code>
  );
}

function reason(step: Step): string {
  const why =
    step.reason === "rule" ? `by ${step.rule}` : step.reason === "asserted" ? "as was asserted" : `compacted: the snapshot ${step.snapshot?.slice(0, 12) ?? ""} holds both equal`;
  const parts = [why];
  if (step.direction === "backward") parts.push("from right to left");
  if (step.fact) parts.push(`agent ${step.fact.agent}, fact ${step.fact.sequence}`);
  if (step.lemmas?.length) parts.push(`given ${step.lemmas.map((lemma) => `lemma ${lemma + 1}`).join(", ")}`);
  return parts.join(" · ");
}

function Path({ from, steps }: { from: string; steps: Step[] }) {
  return (
    <ol class="path">
      <li>
        <Term text={from} place={steps[0]?.place ?? null} />
      </li>
      {steps.map((step, index) => (
        <li key={index}>
          <span class="why">
            <span aria-hidden="true">↓ </span>
            {reason(step)}
          </span>
          <Term text={step.after} place={steps[index + 1]?.place ?? step.place} />
        </li>
      ))}
    </ol>
  );
}

/** Why two terms are equal, as a path from the one to the other: what is marked is rewritten next. */
export function ExplanationPath({ from, explanation }: { from: string; explanation: Explanation }) {
  const { steps, lemmas } = explanation;
  return (
    <div class="explanation" data-steps={steps.length}>
      <p class="note">{steps.length === 0 ? "Both are the same term." : `${counted(steps.length, "step")}. What is marked is what the next step rewrites.`}</p>
      <Path from={steps[0]?.before ?? from} steps={steps} />
      {lemmas.map((lemma, index) => (
        <details key={index}>
          <summary>
            Lemma {index + 1}: <code>{lemma.left}</code> = <code>{lemma.right}</code>
          </summary>
          <Path from={lemma.steps[0]?.before ?? lemma.left} steps={lemma.steps} />
        </details>
      ))}
    </div>
  );
}
