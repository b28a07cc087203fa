import { useLayoutEffect, useRef, useState } from "preact/hooks";

/** How wide an element is, in CSS pixels; 0 before it is laid out. */
export function useWidth<E extends Element>() {
  const element = useRef<E>(null);
  const [width, set] = useState(0);
  useLayoutEffect(() => {
    const watched = element.current;
    if (!watched) return;
    set(Math.floor(watched.clientWidth));
    const observer = new ResizeObserver(([entry]) => set(Math.floor(entry!.contentRect.width)));
    observer.observe(watched);
    return () => observer.disconnect();
  }, []);
  return [element, width] as const;
}
