import type { AskModel } from "../memory/extract.ts";
import type { ChatRequest } from "../router/chat.ts";
import { isJsonObject, type JsonObject } from "../router/json.ts";
import { costOf } from "../router/price.ts";
import { modelName } from "../router/model.ts";
import type { Router } from "../router/router.ts";
import { createMeter } from "./chat/meter.ts";

export type AskedModel = { readonly model: string; readonly costNanoUsd: number | null };

/**
 * The function through which memory asks a model: its prompt becomes an ordinary request of class `extraction` on our
 * own router, with the schema as its response format. `observe` sees what each question cost.
 */
export function createAskModel(
  router: Router,
  policy: string | undefined,
  clock: () => Date,
  observe: (asked: AskedModel) => void,
): AskModel {
  return async (prompt, signal) => {
    const request: ChatRequest = {
      dialect: "openai-chat",
      raw: {},
      model: "auto",
      messages: [
        { role: "system", content: [{ type: "text", text: prompt.system }] },
        { role: "user", content: [{ type: "text", text: prompt.user }] },
      ],
      injections: new Map(),
      tools: [],
      responseFormat: {
        type: "json-schema",
        name: prompt.schemaName,
        schema: toJson(prompt.schema),
        strict: true,
      },
      sampling: {},
      maxOutputTokens: prompt.maxOutputTokens,
      stop: [],
      stream: false,
      includeUsage: false,
      unknownFields: [],
    };
    const plan = router.plan(request, {
      tenant: prompt.owner.tenant,
      turnText: "",
      userTurn: true,
      taskClass: "extraction",
      memoryTokens: 0,
      ...(policy === undefined ? {} : { policy }),
    });
    const execution = await router.execute(plan, request, signal);
    const meter = createMeter();
    for await (const frame of execution.answer.frames) meter.push(frame);
    const { text, usage } = meter.result(plan.candidates[0]?.estimate.inputTokens ?? 0);
    const model = modelName(execution.model);
    observe({ model, costNanoUsd: costOf(execution.model, usage, clock().toISOString()).costNanoUsd });
    return { text, model };
  };
}

/** The schema object is memory's own constant; the round trip makes it the plain JSON that our words ask for. */
function toJson(schema: object): JsonObject {
  const value: unknown = JSON.parse(JSON.stringify(schema));
  return isJsonObject(value) ? value : {};
}
