import { createHash } from "node:crypto";

/** What a vendor accepts as a tool's name. */
export type ToolNameRule = {
  readonly valid: RegExp;
  /** Matches each character that must go; with the global flag. */
  readonly unwanted: RegExp;
  readonly maxLength: number;
};

/**
 * Names of one request, both ways. `toVendor` depends on the name alone, so the same tool has the same name in every
 * request of a conversation; a changed name ends in a hash, so two names never become one.
 */
export type ToolNames = {
  toVendor(name: string): string;
  /** The client's name for what the vendor answered; a name nobody sent is given back as it is. */
  toClient(name: string): string;
};

const hashLength = 8;

export function createToolNames(rule: ToolNameRule): ToolNames {
  const clientNames = new Map<string, string>();
  return {
    toVendor(name) {
      if (rule.valid.test(name)) return name;
      const cleaned = name.replace(rule.unwanted, "_").slice(0, rule.maxLength - hashLength - 3);
      // The letter in front is for vendors whose names must begin with one.
      const vendorName = `t_${cleaned}_${createHash("sha256").update(name).digest("hex").slice(0, hashLength)}`;
      clientNames.set(vendorName, name);
      return vendorName;
    },
    toClient: (name) => clientNames.get(name) ?? name,
  };
}
