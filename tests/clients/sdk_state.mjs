// Asks a gateway, with the official SDK for TypeScript, for what there is beside answers: kept responses and their input
// items, conversations, compaction, counts. What the SDK reads must be what was written. Arguments as for `sdk_state.py`;
// prints what differs and, last, one JSON object of counts; ends with 1 where anything does.

import { createRequire } from "node:module";
import { isDeepStrictEqual } from "node:util";

// Not `import`: modules of that kind are not looked for along NODE_PATH.
const require = createRequire(import.meta.url);
const OpenAI = require("openai").default;

const [baseURL, apiKey, ...models] = process.argv.slice(2);
const counts = {};
const faults = [];

// What was written last, as it came.
let written;
const client = new OpenAI({
  apiKey,
  baseURL: `${baseURL}/v1`,
  maxRetries: 0,
  timeout: 60_000,
  fetch: async (...asked) => {
    const answer = await fetch(...asked);
    written = await answer.clone().json().catch(() => null);
    return answer;
  },
});

// Without what is null and what the SDK adds of its own.
function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  const told = Object.entries(value).filter(([name, inner]) => inner != null && !/^(output_text|_request_id)$/.test(name));
  return Object.fromEntries(told.map(([name, inner]) => [name, plain(inner)]));
}

function same(kind, told, read) {
  counts[kind] = (counts[kind] ?? 0) + 1;
  if (!isDeepStrictEqual(plain(told), plain(read))) {
    faults.push(`${kind}: ${JSON.stringify(plain(told))}\n  read as ${JSON.stringify(plain(read))}`);
  }
}

async function read(kind, asked) {
  const answer = await asked;
  same(kind, written, answer);
  return answer;
}

async function notFound(what, ask) {
  counts["not found"] = (counts["not found"] ?? 0) + 1;
  try {
    faults.push(`${what}: there is ${JSON.stringify(await ask())}`);
  } catch (error) {
    if (!(error instanceof OpenAI.NotFoundError)) faults.push(`${what}: ${error}`);
  }
}

async function kept(model) {
  const first = await read("responses", client.responses.create({ model, input: "Remember a heron." }));
  const second = await read("responses", client.responses.create({ model, input: "Which bird?", previous_response_id: first.id }));
  for (const made of [first, second]) {
    same("kept responses", made, await read("responses", client.responses.retrieve(made.id)));
  }
  const items = [];
  for await (const item of client.responses.inputItems.list(second.id, { order: "asc", limit: 1 })) items.push(item);
  const page = await client.responses.inputItems.list(second.id, { order: "asc" });
  same("input items", items, written.data);
  same("input items", page.data, written.data);
  if (items.length !== 3) faults.push(`${items.length} input items instead of 3: ${JSON.stringify(items)}`);
  await client.responses.delete(first.id);
  await notFound(`${model}, deleted`, () => client.responses.retrieve(first.id));
}

async function conversed(model) {
  const items = [{ type: "message", role: "user", content: "My name is Ada." }];
  const made = await read("conversations", client.conversations.create({ items, metadata: { k: "v" } }));
  const answer = await read("responses", client.responses.create({ model, input: "And yours?", conversation: made.id }));
  if (answer.conversation?.id !== made.id) faults.push(`the answer names ${JSON.stringify(answer.conversation)}`);
  same("conversations", made, await read("conversations", client.conversations.retrieve(made.id)));
  const gone = await read("conversations", client.conversations.delete(made.id));
  if (!gone.deleted) faults.push(`deleted: ${JSON.stringify(gone)}`);
  await notFound(`${model}, deleted conversation`, () => client.conversations.retrieve(made.id));
}

async function compactedAndCounted(model) {
  const input = [
    { role: "user", content: "The code word is heron." },
    { role: "assistant", content: "Noted." },
  ];
  const short = await read("compactions", client.responses.compact({ model, input }));
  const next = [...short.output, { role: "user", content: "What was it?" }];
  await read("responses", client.responses.create({ model, input: next }));
  const count = await read("counts", client.responses.inputTokens.count({ model, input }));
  if (!(count.input_tokens > 0)) faults.push(`counted: ${JSON.stringify(count)}`);
}

for (const model of models) {
  await kept(model);
  await conversed(model);
  await compactedAndCounted(model);
}
for (const fault of faults) console.log(fault.slice(0, 1200));
console.log(JSON.stringify(counts));
process.exit(faults.length ? 1 : 0);
