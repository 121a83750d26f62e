import type { ChatRequest } from "../../router/chat.ts";
import type { Dialect } from "../dialects/dialect.ts";

/** A request of a dialect that keeps conversations for its clients, with what came before it put in front. */
export type OpenedConversation = {
  readonly request: ChatRequest;
  /** The memory session of what came before; `undefined` when nothing did. */
  readonly session: string | undefined;
  /** Its encoders, so that `keep` has their answer. */
  readonly dialect: Dialect;
  /** Call after the answer's last frame. Resolves when it is durable; does nothing where the client wants nothing kept. */
  keep(session: string): Promise<void>;
};

export type OpenConversation = (
  parsed: ChatRequest,
  asker: { readonly tenant: string; readonly user: string | undefined; readonly trace: string },
) => Promise<OpenedConversation>;
