import type { ColorName, Health } from "../live/documents.ts";

/** Every color has its form and its letter, so that it can be told without color. An agent without one has all streams. */
export const LETTER: Record<ColorName | "all", string> = { red: "R", blue: "B", green: "G", all: "A" };

/** A filled form of the color around a point, `r` from there to its rim. */
export function Form({ color, x, y, r, class: name = "" }: { color: ColorName | null; x: number; y: number; r: number; class?: string }) {
  const kind = `form ${color ?? "all"} ${name}`;
  switch (color) {
    case "red":
      return <circle class={kind} cx={x} cy={y} r={r} />;
    case "blue":
      return <rect class={kind} x={x - r * 0.88} y={y - r * 0.88} width={r * 1.76} height={r * 1.76} rx={r * 0.2} />;
    case "green":
      return <path class={kind} d={polygon(x, y + r * 0.12, r * 1.18, 3)} stroke-linejoin="round" />;
    default:
      return <path class={kind} d={polygon(x, y, r * 1.05, 6)} />;
  }
}

/** A regular polygon, one corner on top. */
function polygon(x: number, y: number, r: number, corners: number): string {
  const points = Array.from({ length: corners }, (_, corner) => {
    const angle = (2 * Math.PI * corner) / corners - Math.PI / 2;
    return `${(x + r * Math.cos(angle)).toFixed(2)} ${(y + r * Math.sin(angle)).toFixed(2)}`;
  });
  return `M${points.join("L")}Z`;
}

/** The form in a line of text, with the color's name for those who do not see it. */
export function Swatch({ color, named = false }: { color: ColorName | null; named?: boolean }) {
  return (
    <span class="swatch">
      <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
        <Form color={color} x={8} y={8} r={6.5} />
      </svg>
      <span class={named ? undefined : "unseen"}>{color ?? "all colors"}</span>
    </span>
  );
}

/** Signs that differ in form. */
export const SIGN: Record<Health, string> = { converged: "✓", active: "•", behind: "↓", suspected: "?", silent: "×" };

export const MEANING: Record<Health, string> = {
  converged: "converged",
  active: "active",
  behind: "behind",
  suspected: "suspected",
  silent: "does not answer",
};

export function HealthTag({ health }: { health: Health }) {
  return (
    <span class={`health ${health}`}>
      <span class="sign" aria-hidden="true">
        {SIGN[health]}
      </span>
      {MEANING[health]}
    </span>
  );
}
