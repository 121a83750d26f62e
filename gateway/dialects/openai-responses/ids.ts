/**
 * Ids of what this gateway wrote itself, told apart from a vendor's by the `tl` in them: a vendor that is sent one back
 * would look for it among its own.
 */
export function makeId(kind: "resp" | "msg" | "rs" | "fc" | "item", trace: string, position?: string | number): string {
  const unique = trace.replace(/^tl-/, "");
  return position === undefined ? `${kind}_tl_${unique}` : `${kind}_tl_${unique}_${position}`;
}

export function isOurId(id: unknown): boolean {
  return typeof id === "string" && /^[a-z]+_tl_/.test(id);
}
