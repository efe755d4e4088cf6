// Judges what the bridge wrote by the official SDKs for TypeScript: each whole answer and each stream is read by the SDK's
// own calls and streaming helpers. Argument: the folder that `sdk_shapes.py` has judged,
// whose `finals.jsonl` says what each stream tells. Prints what differs and, last, counts; ends with 1 where anything does.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { isDeepStrictEqual } from "node:util";

const [folder] = process.argv.slice(2);
// Not `import`: modules of that kind are not looked for along NODE_PATH.
const require = createRequire(import.meta.url);
const OpenAI = require("openai").default;
const Anthropic = require("@anthropic-ai/sdk").default;

const counts = {};
const faults = [];
const lines = (name) => readFileSync(`${folder}/${name}.jsonl`, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line));

// An SDK whose gateway gives this answer to whatever it is sent.
function sdk(Sdk, type, body) {
  const fetch = async () => new Response(body, { headers: { "content-type": type } });
  return new Sdk({ apiKey: "none", baseURL: "http://gateway", maxRetries: 0, fetch });
}

const messages = [{ role: "user", content: "?" }];

// What MCP servers gave is behind a flag.
function messagesOf(type, body) {
  const client = sdk(Anthropic, type, body);
  return body.includes('"mcp_') ? client.beta.messages : client.messages;
}

const ask = {
  chat: (...answer) => sdk(OpenAI, ...answer).chat.completions.create({ model: "m", messages }),
  responses: (...answer) => sdk(OpenAI, ...answer).responses.create({ model: "m", input: "?" }),
  messages: (...answer) => messagesOf(...answer).create({ model: "m", max_tokens: 1, messages }),
};

const stream = {
  chat: async (...answer) => readChat(await sdk(OpenAI, ...answer).chat.completions.stream({ model: "m", messages }).finalChatCompletion()),
  responses: (...answer) => sdk(OpenAI, ...answer).responses.stream({ model: "m", input: "?" }).finalResponse(),
  messages: (...answer) => messagesOf(...answer).stream({ model: "m", max_tokens: 1, messages }).finalMessage(),
};

function readChat({ choices: [{ message, finish_reason }], usage }) {
  const tool_calls = (message.tool_calls ?? []).map(({ id, function: called, custom }) => ({
    id,
    name: (called ?? custom).name,
    input: called ? called.arguments : custom.input,
  }));
  const { content, refusal, annotations } = message;
  return { content, refusal, annotations, tool_calls, finish_reason, usage };
}

// Without what is null, what the SDKs add of their own, and what only the chunks of some vendors have, which the helper
// for Chat does not join.
function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value === 0 ? 0 : value; // -0 is 0
  const added = /^(parsed.*|output_text|_request_id|reasoning_content)$/;
  const told = Object.entries(value).filter(([name, inner]) => inner != null && !added.test(name));
  return Object.fromEntries(told.map(([name, inner]) => [name, plain(inner)]));
}

async function compare(kind, { name, dialect }, wanted, read) {
  counts[`${dialect} ${kind}`] = (counts[`${dialect} ${kind}`] ?? 0) + 1;
  try {
    const [told, got] = [plain(wanted), plain(await read())];
    if (!isDeepStrictEqual(told, got)) faults.push(`${name}: ${JSON.stringify(told)}\n  read as ${JSON.stringify(got)}`);
  } catch (error) {
    faults.push(`${name}: ${error}`);
  }
}

for (const line of lines("answers")) {
  await compare("answers", line, line.body, () => ask[line.dialect]("application/json", JSON.stringify(line.body)));
}
const finals = lines("finals");
for (const [at, line] of lines("streams").entries()) {
  if (finals[at]) await compare("streams", line, finals[at], () => stream[line.dialect]("text/event-stream", line.body));
}
for (const fault of faults) console.log(fault.slice(0, 1200));
console.log(JSON.stringify(counts));
process.exit(faults.length ? 1 : 0);
