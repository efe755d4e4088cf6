// Asks opencode for an answer that fits a schema. Its command line has no option for one, its server has. Arguments: the
// program, the model, what is asked, the schema, and a picture in base64. Prints the object; ends with 1 where none came.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const [program, modelID, text, schema, image] = process.argv.slice(2);
// A group of its own, so that nothing of it outlives this program.
const server = spawn(program, ["serve", "--hostname", "127.0.0.1", "--port", "0"], {
  detached: true,
  stdio: ["ignore", "pipe", "inherit"],
});

const address = await new Promise((found, failed) => {
  server.on("error", failed);
  server.on("exit", (code) => failed(new Error(`opencode ended with ${code}`)));
  createInterface({ input: server.stdout }).on("line", (line) => {
    const url = /listening on (http:\S+)/.exec(line);
    if (url) found(url[1]);
  });
});

async function post(path, body) {
  const answer = await fetch(address + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

try {
  // With a title of ours it does not ask the model for one.
  const session = await post("/session", { title: "Asked" });
  const { info } = await post(`/session/${session.id}/message`, {
    model: { providerID: "gateway", modelID },
    parts: [
      { type: "file", mime: "image/png", filename: "seen.png", url: `data:image/png;base64,${image}` },
      { type: "text", text },
    ],
    format: { type: "json_schema", schema: JSON.parse(schema) },
  });
  if (!info.structured) throw new Error(JSON.stringify(info));
  console.log(JSON.stringify(info.structured));
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  server.removeAllListeners("exit");
  process.kill(-server.pid);
}
