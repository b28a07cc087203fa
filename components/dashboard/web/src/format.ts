/** Numbers, times and lengths as people read them. English grouping, since the page is in English. */

const grouping = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** `1234` is `1,234`. */
export function count(value: number): string {
  return grouping.format(value);
}

/** With its noun: `1 fact`, `1,234 facts`. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${Math.round(value) === 1 ? one : many}`;
}

function digits(value: number): string {
  if (value === 0) return "0";
  return value < 10 ? String(Number(value.toFixed(1))) : count(value);
}

/** Microseconds with the unit that keeps the number short: `7 ms`, `2.6 s`. */
export function duration(micros: number): string {
  if (micros < 1000) return `${count(micros)} µs`;
  if (micros < 999_500) return `${digits(micros / 1000)} ms`;
  if (micros < 120_000_000) return `${digits(micros / 1_000_000)} s`;
  return `${digits(micros / 60_000_000)} min`;
}

/** Bytes in decimal units: `17.4 kB` is 17,400. */
export function bytes(value: number): string {
  if (value < 1000) return `${count(value)} B`;
  if (value < 999_500) return `${digits(value / 1000)} kB`;
  if (value < 999_500_000) return `${digits(value / 1_000_000)} MB`;
  return `${digits(value / 1_000_000_000)} GB`;
}

/** Per second: below 10 with one digit. */
export function perSecond(value: number): string {
  return digits(value);
}

/** The time of day in the reader's own zone, `14:03:07`; `millis` is since 1970. */
export function clock(millis: number): string {
  const at = new Date(millis);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}

/** How long ago, for `millis` of time: `3 s`, `2 min 5 s`. */
export function elapsed(millis: number): string {
  const all = Math.max(0, Math.round(millis / 1000));
  return all < 60 ? `${all} s` : `${Math.floor(all / 60)} min ${all % 60} s`;
}

/** The first digits of a digest, enough to tell two apart by eye. */
export function shortDigest(digest: string): string {
  return digest.slice(0, 12);
}

/** Cut to `length` characters; what is cut off shows as `…`. */
export function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

/** `[0,1,2,5]` is `0–2, 5`; the numbers ascend. */
export function ranges(numbers: readonly number[]): string {
  const parts: string[] = [];
  for (let from = 0; from < numbers.length; ) {
    let to = from;
    while (to + 1 < numbers.length && numbers[to + 1] === numbers[to]! + 1) to += 1;
    parts.push(to === from ? `${numbers[from]}` : to === from + 1 ? `${numbers[from]}, ${numbers[to]}` : `${numbers[from]}–${numbers[to]}`);
    from = to + 1;
  }
  return parts.join(", ");
}
