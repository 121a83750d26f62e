import { BlockList, isIP } from "node:net";
import { GatewayError } from "../errors.ts";

/**
 * Refuses a URL that a vendor could not fetch, or that would make it knock on somebody's private network. We never
 * fetch it ourselves, so names are not resolved here. Throws `GatewayError` (`invalid_request`) naming `param`.
 */
export function requirePublicUrl(text: string, param: string): string {
  const url = URL.parse(text);
  if (url === null) throw refused(param, "is not a URL");
  if (url.protocol !== "https:" && url.protocol !== "http:") throw refused(param, "is neither http nor https");
  const host = url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  if (isPrivateHost(host)) throw refused(param, "points into a private network");
  return text;
}

const privateSuffixes = [".localhost", ".local", ".internal", ".intranet", ".lan", ".home.arpa"];

const privateAddresses = new BlockList();
for (const [address, prefix] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["224.0.0.0", 3],
] as const) {
  privateAddresses.addSubnet(address, prefix, "ipv4");
}
for (const [address, prefix] of [
  ["::", 127],
  ["64:ff9b::", 96],
  ["fc00::", 7],
  ["fe80::", 10],
  ["ff00::", 8],
] as const) {
  privateAddresses.addSubnet(address, prefix, "ipv6");
}

function isPrivateHost(host: string): boolean {
  // `URL` has already turned 0x7f.1, 2130706433 and the like into dotted form.
  const family = isIP(host);
  if (family === 4) return privateAddresses.check(host, "ipv4");
  if (family === 6) return privateAddresses.check(host, "ipv6");
  const name = host.toLowerCase();
  return !name.includes(".") || privateSuffixes.some((suffix) => name.endsWith(suffix));
}

function refused(param: string, why: string): GatewayError {
  return new GatewayError("invalid_request", `The URL in ${param} ${why}.`, { param });
}
