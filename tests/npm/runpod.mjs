// Gives jobs to the endpoints at argv[2], waited for and streamed, and prints what came as JSON.
import runpodSdk from "runpod-sdk";

const [url] = process.argv.slice(2);
const log = console.log;
console.log = () => {}; // the client reports its polling
const endpoint = runpodSdk("none", { baseUrl: `${url}/v2` }).endpoint("granite");
const input = {
  messages: [{ role: "user", content: "Repeat after me: stone" }],
  sampling_params: { temperature: 0, max_tokens: 24 },
};

const whole = await endpoint.runSync({ input });
const { id } = await endpoint.run({ input: { ...input, stream: true, max_batch_size: 4 } });
const parts = [];
for await (const part of endpoint.stream(id)) parts.push(part.output);
const status = await endpoint.status(id);
const begun = await endpoint.run({
  input: { prompt: "One", sampling_params: { max_tokens: 2000, ignore_eos: true } },
});
const cancelled = await endpoint.cancel(begun.id);
const health = await endpoint.health();
const purged = await endpoint.purgeQueue();
log(JSON.stringify({ whole, parts, status, cancelled, health, purged }));
