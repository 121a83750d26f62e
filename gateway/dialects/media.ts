import type { MediaSource } from "../../router/chat.ts";
import { invalid } from "./read.ts";

/**
 * A `data:` or `http(s):` URL as a source. Nothing is fetched here or later: the vendor fetches a URL, and one that
 * points into a private network is refused, so that neither side can be made to.
 */
export function parseMedia(url: string, path: string, expectedPrefix: string): MediaSource {
  if (url.startsWith("data:")) return parseDataUrl(url, path, expectedPrefix);
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw invalid(path, "must be a data: URL or an http(s) URL.");
  }
  if (parsed.protocol !== "https:" && parsed.protocol !== "http:") {
    throw invalid(path, `must be a data: URL or an http(s) URL, not ${parsed.protocol}`);
  }
  if (isPrivateHost(parsed.hostname)) {
    throw invalid(path, "points into a private network. Send the file as a data: URL instead.");
  }
  return { kind: "url", url };
}

function parseDataUrl(url: string, path: string, expectedPrefix: string): MediaSource {
  const comma = url.indexOf(",");
  if (comma === -1) throw invalid(path, "is a data: URL without a comma before its data.");
  // "data:image/png;charset=utf-8;base64": the type comes first, base64 is the last parameter.
  const [mediaType = "", ...parameters] = url.slice("data:".length, comma).split(";");
  if (!mediaType.toLowerCase().startsWith(expectedPrefix)) {
    throw invalid(path, `must hold ${expectedPrefix}…, not '${mediaType.slice(0, 40)}'.`);
  }
  const body = url.slice(comma + 1);
  if (parameters.at(-1)?.trim().toLowerCase() !== "base64") {
    const data = Buffer.from(decodeText(body, path), "utf8").toString("base64");
    return { kind: "base64", mediaType: mediaType.toLowerCase() || "text/plain", data };
  }
  if (
    body === "" ||
    !/^[A-Za-z0-9+/_-]+={0,2}\s*$/.test(body.length > 4096 ? body.slice(0, 4096).replace(/=+$/, "") : body)
  ) {
    throw invalid(path, "does not hold base64 data.");
  }
  return { kind: "base64", mediaType: mediaType.toLowerCase(), data: body };
}

function decodeText(text: string, path: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid(path, "is a data: URL with broken percent-encoding.");
  }
}

/** Loopback, link-local, private and unique-local addresses, and names that stay on a machine or its network. */
function isPrivateHost(host: string): boolean {
  const name = host
    .toLowerCase()
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "");
  if (name === "localhost" || /\.(localhost|local|internal|lan|home|corp)$/.test(name)) return true;
  if (name.includes(":")) return isPrivateIpv6(name);
  const octets = /^(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(name);
  if (octets === null) return !name.includes(".");
  const [a, b] = [Number(octets[1]), Number(octets[2])];
  return (
    a === 0 ||
    a === 10 ||
    a === 127 ||
    a >= 224 ||
    (a === 100 && b >= 64 && b < 128) ||
    (a === 169 && b === 254) ||
    (a === 172 && b >= 16 && b < 32) ||
    (a === 192 && b === 168) ||
    (a === 198 && (b === 18 || b === 19))
  );
}

function isPrivateIpv6(name: string): boolean {
  if (name === "::" || name === "::1") return true;
  if (/^(fc|fd|fe8|fe9|fea|feb|ff)/.test(name)) return true;
  const mapped = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(name);
  if (mapped === null) return name.startsWith("64:ff9b:");
  const high = Number.parseInt(mapped[1] ?? "0", 16);
  const low = Number.parseInt(mapped[2] ?? "0", 16);
  return isPrivateHost([high >> 8, high & 255, low >> 8, low & 255].join("."));
}
