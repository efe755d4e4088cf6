// Drives the Vercel AI SDK against a gateway; prints what came back as one JSON object.
import { createRequire } from "node:module";

// Not `import`: modules of that kind are not looked for along NODE_PATH.
const require = createRequire(import.meta.url);
const { generateObject, generateText, jsonSchema, stepCountIs, streamText, tool } = require("ai");
const { createAnthropic } = require("@ai-sdk/anthropic");
const { createOpenAI } = require("@ai-sdk/openai");
const { createOpenAICompatible } = require("@ai-sdk/openai-compatible");
globalThis.AI_SDK_LOG_WARNINGS = false;

const [base, apiKey, dialect, name, other, image] = process.argv.slice(2);
const baseURL = `${base}/v1`;
const stored = { openai: { forceReasoning: true, reasoningEffort: "medium", reasoningSummary: "auto" } };
const responses = { openai: { ...stored.openai, store: false, include: ["reasoning.encrypted_content"] } };
const [modelOf, providerOptions, thinking] = {
  "chat-completions": [createOpenAI({ baseURL, apiKey }).chat, {}, {}],
  "compatible-chat": [
    createOpenAICompatible({ name: "gateway", baseURL, apiKey, includeUsage: true, supportsStructuredOutputs: true }),
    {},
    {},
  ],
  responses: [createOpenAI({ baseURL, apiKey }).responses, responses, responses],
  // As it is by default: answers are stored, and what they said is referred to by its id.
  "stored-responses": [createOpenAI({ baseURL, apiKey }).responses, stored, stored],
  messages: [
    createAnthropic({ baseURL, apiKey }),
    {},
    { anthropic: { thinking: { type: "enabled", budgetTokens: 1024 } } },
  ],
}[dialect];
const model = modelOf(name);
const common = { model, providerOptions, maxRetries: 0 };

const found = {};

const hello = await generateText({ ...common, prompt: "Good morning." });
found.text = hello.text;
found.usage = hello.usage.outputTokens;

const told = streamText({ ...common, prompt: "Good morning." });
const pieces = [];
for await (const piece of told.textStream) pieces.push(piece);
found.stream = pieces.join("");
found.streamed = pieces.length > 1;

const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
const weather = tool({
  description: "Tells the weather.",
  inputSchema: jsonSchema(schema),
  execute: async ({ city }) => `19 degrees in ${city}`,
});
const rounds = {
  ...common,
  providerOptions: thinking,
  prompt: "ROUNDS_PLEASE: what is the weather?",
  tools: { get_weather: weather },
  stopWhen: stepCountIs(5),
};
const whole = await generateText(rounds);
found.rounds = whole.text;
found.calls = whole.steps.map((step) => step.toolCalls.length);
// The next turn, with all that was before it.
const { prompt: asked, ...onwards } = rounds;
const turns = [{ role: "user", content: asked }, ...whole.response.messages, { role: "user", content: "And now?" }];
found.next = (await generateText({ ...onwards, messages: turns })).text;
const streamed = streamText(rounds);
await streamed.consumeStream();
found.stream_rounds = await streamed.text;

// The first turn with the model, the others with another vendor's.
const switched = await generateText({
  ...rounds,
  prompt: `${rounds.prompt} SWITCHED`,
  prepareStep: ({ stepNumber }) => ({ model: stepNumber === 0 ? model : modelOf(other) }),
});
found.switched = switched.text;

const report = {
  type: "object",
  properties: { city: { type: "string" }, degrees: { type: "number" } },
  required: ["city", "degrees"],
  additionalProperties: false,
};
const filled = await generateObject({ ...common, schema: jsonSchema(report), prompt: "The weather, as an object." });
found.object = filled.object;

const content = [
  { type: "text", text: "IMAGE_PLEASE: what do you see?" },
  { type: "image", image: Buffer.from(image, "base64"), mediaType: "image/png" },
];
found.image = (await generateText({ ...common, messages: [{ role: "user", content }] })).text;

// What came of a stream that fails: the failure, if some of the text was heard before it.
async function failure(prompt) {
  let heard = "";
  const told = (error) => {
    const said = typeof error === "string" ? error : JSON.stringify({ name: error.name, message: error.message, ...error });
    return heard ? said : `nothing was heard before ${said}`;
  };
  try {
    for await (const part of streamText({ ...common, prompt, onError: () => {} }).fullStream) {
      if (part.type === "text-delta") heard += part.text;
      if (part.type === "error") return told(part.error);
    }
  } catch (error) {
    return told(error);
  }
  return "no error";
}
found.broken = await failure("BREAK_PLEASE");
found.overloaded = await failure("OVERLOAD_PLEASE");

const leaving = new AbortController();
let ended = "not aborted";
for await (const part of streamText({ ...common, prompt: "HANG_PLEASE", abortSignal: leaving.signal, onError: () => {} }).fullStream) {
  if (part.type === "text-delta") leaving.abort();
  if (part.type === "abort" || part.type === "error") ended = part.type;
}
found.aborted = ended;
// The vendor answers this once it has noticed that the other one was left.
found.left = (await generateText({ ...common, prompt: "LEFT_PLEASE" })).text;

console.log(JSON.stringify(found));
