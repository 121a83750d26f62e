#!/usr/bin/env node
import { type Config } from "../config/config.ts";
import { loadConfig } from "../config/load.ts";
import { createGateway, type Gateway } from "./create-gateway.ts";

/** `npm start`: reads the configuration, starts the gateway, and ends it in order on SIGINT or SIGTERM. */
async function main(): Promise<void> {
  // A closed pipe behind our output must not end the gateway.
  process.stdout.on("error", () => undefined);
  const config = loadConfig({ argv: process.argv.slice(2) });
  if (config.keys.length === 0 && !isLoopback(config.host)) {
    throw new Error(
      `HOST is ${config.host}, which others can reach, and no gateway keys are configured. Add 'keys' to ${config.source}, or use HOST=127.0.0.1.`,
    );
  }
  const gateway = await createGateway(config);
  const port = await gateway.listen();
  process.stdout.write(`${describe(config, gateway, port).join("\n")}\n`);
  let ending = false;
  const end = (signal: NodeJS.Signals) => {
    // A second Ctrl-C is a person who does not want to wait; what is durable stays durable.
    if (ending) process.exit(130);
    ending = true;
    process.stdout.write(
      `${signal}: finishing the requests in flight, at most ${config.limits.shutdownMs / 1000} s. Once more ends at once.\n`,
    );
    gateway.close().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  };
  process.on("SIGINT", end);
  process.on("SIGTERM", end);
}

/** What a person wants to know first, a line each. */
function describe(config: Config, gateway: Gateway, port: number): string[] {
  const host = config.host.includes(":") ? `[${config.host}]` : config.host;
  const origin = `http://${host}:${port}`;
  const vendors = [...gateway.providers.providers.keys()].join(", ");
  const missing = [...config.missingProviders].map(([id, remedy]) => `${id}: ${remedy}`).join("; ");
  return [
    `Throughline  ${origin}/v1  (set this as the client's baseURL)`,
    gateway.providers.sandbox === undefined
      ? `vendors      ${vendors}${missing === "" ? "" : `  (not in use: ${missing})`}`
      : `vendors      sandbox: ${vendors}, on loopback, free and made up. For the real ones: ${missing}`,
    `store        ${describeStore(config)}, memory ${config.memory.enabled ? "on" : "off"}`,
    `policy       ${config.defaultPolicy}, from ${config.source}`,
    `keys         ${config.keys.length === 0 ? "none: anyone on this machine is the user 'default' unless a request names one" : `${config.keys.length} configured`}`,
    `metrics      ${origin}/metrics  health ${origin}/readyz`,
  ];
}

/** An address may hold a password: only its origin is shown. */
function describeStore({ qdrant, dataDirectory }: Config): string {
  const file = `${dataDirectory}/throughline.sqlite`;
  return qdrant === undefined ? file : `memories in Qdrant at ${new URL(qdrant.url).origin}, the queue in ${file}`;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}

function fail(error: unknown): never {
  process.stderr.write(`${explain(error)}\n`);
  process.exit(1);
}

/** A start that fails is a message to a person: what is wrong and what to do, no stack. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, syscall } = error as NodeJS.ErrnoException;
  const port = "port" in error ? ` ${String(error.port)}` : "";
  if (code === "EADDRINUSE")
    return `The port${port} is taken: end what listens there, or choose another with PORT=8081.`;
  if (code === "EACCES" && syscall === "listen")
    return `No permission to listen on port${port}: choose one above 1023 with PORT=8080.`;
  if (code === "EADDRNOTAVAIL" || syscall === "getaddrinfo")
    return "HOST is not an address of this machine: use 127.0.0.1.";
  return error.message;
}

main().catch(fail);
