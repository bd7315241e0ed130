// Uploads lines for the model argv[3] at argv[2], has them worked on as a batch, reads the results
// and removes all; prints what came as JSON.
import OpenAI, { toFile } from "openai";

const [url, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
const body = (word) => ({
  model,
  messages: [{ role: "user", content: `Repeat after me: ${word}` }],
  temperature: 0,
  max_tokens: 24,
});
const words = ["stone", "river", "cloud"];
const lines = words.map((word) =>
  JSON.stringify({
    custom_id: word,
    method: "POST",
    url: "/v1/chat/completions",
    body: body(word),
  }),
);

const content = Buffer.from(`${lines.join("\n")}\n`);
const file = await client.files.create({
  file: await toFile(content, "lines.jsonl"),
  purpose: "batch",
});
let batch = await client.batches.create({
  input_file_id: file.id,
  endpoint: "/v1/chat/completions",
  completion_window: "24h",
});
const ended = ["completed", "failed", "expired", "cancelled"];
while (!ended.includes(batch.status)) {
  await new Promise((resolve) => setTimeout(resolve, 100));
  batch = await client.batches.retrieve(batch.id);
}
const results = await (await client.files.content(batch.output_file_id)).text();
const answers = results
  .trim()
  .split("\n")
  .map((row) => JSON.parse(row))
  .map((row) => [row.custom_id, row.response.body.choices[0].message.content]);
const alone = [];
for (const word of words) {
  const reply = await client.chat.completions.create(body(word));
  alone.push([word, reply.choices[0].message.content]);
}
const listed = [];
for await (const each of client.batches.list({ limit: 2 })) listed.push(each.id);
const back = await (await client.files.content(file.id)).text();
const deleted = await client.files.delete(file.id);

console.log(
  JSON.stringify({
    status: batch.status,
    counts: batch.request_counts,
    answers,
    alone,
    isListed: listed.includes(batch.id),
    isSame: back === content.toString(),
    deleted: deleted.deleted,
  }),
);
