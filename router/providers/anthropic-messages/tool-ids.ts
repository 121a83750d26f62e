import { createHash } from "node:crypto";

const valid = /^[a-zA-Z0-9_-]{1,64}$/;

/**
 * Tool-call ids of one conversation as Anthropic takes them: `^[a-zA-Z0-9_-]{1,64}$` and no two calls alike. They depend
 * on the conversation alone, so each request of it has the same ones, and its cached prefix holds. A result finds its
 * call because both were read in the order of the conversation.
 */
export function createToolIds(): { call(id: string): string; result(id: string): string } {
  const sent = new Map<string, string>();
  const used = new Set<string>();
  return {
    call(id) {
      // Vendors without ids of their own give the same one again in a later turn.
      let vendorId = toVendorId(id);
      for (let repeat = 2; used.has(vendorId); repeat += 1) vendorId = toVendorId(`${id}|${repeat}`);
      used.add(vendorId);
      sent.set(id, vendorId);
      return vendorId;
    },
    result: (id) => sent.get(id) ?? toVendorId(id),
  };
}

function toVendorId(id: string): string {
  if (valid.test(id)) return id;
  return `toolu_${createHash("sha256").update(id).digest("base64url").slice(0, 32)}`;
}
