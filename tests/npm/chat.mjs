// Asks the server at argv[2] for model argv[3], whole and streamed, and prints what came as JSON.
import OpenAI from "openai";

const [url, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
const request = {
  model,
  messages: [{ role: "user", content: "Repeat after me: stone" }],
  temperature: 0,
  max_tokens: 24,
};

const whole = await client.chat.completions.create(request);
let streamed = "";
let usage = null;
const stream = await client.chat.completions.create({
  ...request,
  stream: true,
  stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
  usage = chunk.usage ?? usage;
}
console.log(JSON.stringify({ whole: whole.choices[0].message.content, streamed, usage }));
