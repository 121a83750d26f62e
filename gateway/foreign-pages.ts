import type { IncomingHttpHeaders } from "node:http";
import { GatewayError } from "../router/errors.ts";

/**
 * Without keys whoever reaches loopback is trusted, and any page in a browser on this machine reaches it: by a plain
 * POST, which needs no preflight, or under a name of its own that it points at 127.0.0.1. Throws `forbidden` for both.
 */
export function refuseForeignPages({ host, origin }: IncomingHttpHeaders): void {
  if (host !== undefined && !cannotBePointedHere(hostnameOf(`http://${host}`))) {
    throw new GatewayError(
      "forbidden",
      `This gateway has no keys and does not answer to the name '${host.slice(0, 100)}'. Ask 127.0.0.1, or configure keys.`,
    );
  }
  if (origin !== undefined && !isOwnPage(origin)) {
    throw new GatewayError(
      "forbidden",
      `This gateway has no keys and does not answer pages of '${origin.slice(0, 100)}'. Configure keys.`,
    );
  }
}

/** An address, or a name that public DNS does not hand out. */
function cannotBePointedHere(name: string): boolean {
  return isAddress(name) || !name.includes(".") || /\.(?:localhost|local|internal)$/u.test(name);
}

/** A page of this machine, or a program with a scheme of its own: an extension, a desktop application. */
function isOwnPage(origin: string): boolean {
  if (origin === "null") return false;
  if (!/^https?:/iu.test(origin)) return true;
  const name = hostnameOf(origin);
  return name === "localhost" || name.endsWith(".localhost") || name === "[::1]" || /^127\.[\d.]+$/u.test(name);
}

function isAddress(name: string): boolean {
  return name.startsWith("[") || /^[\d.]+$/u.test(name);
}

/** As a browser reads it; what is no address at all comes back as a name that nobody may use. */
function hostnameOf(url: string): string {
  return URL.parse(url)?.hostname ?? "not.a.name";
}
