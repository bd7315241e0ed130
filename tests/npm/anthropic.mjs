// Asks the server at argv[2] for model argv[3] with Anthropic's client, and prints what came as JSON.
import Anthropic from "@anthropic-ai/sdk";
import { betaTool } from "@anthropic-ai/sdk/helpers/beta/json-schema";

const [url, model] = process.argv.slice(2);
const client = new Anthropic({ baseURL: url, apiKey: "none", maxRetries: 0 });
const request = {
  model,
  messages: [{ role: "user", content: "Repeat after me: stone" }],
  temperature: 0,
  max_tokens: 24,
};

const whole = await client.messages.create(request);
const stream = client.messages.stream(request);
const kinds = [];
for await (const event of stream) kinds.push(event.type);
const streamed = await stream.finalMessage();
const { max_tokens: _, temperature: __, ...countable } = request;
const counted = await client.messages.countTokens(countable);

const asked = [];
const schema = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
};
const weather = betaTool({
  name: "get_weather",
  description: "Get the current weather for a city.",
  inputSchema: schema,
  run: ({ city }) => {
    asked.push(city);
    return JSON.stringify({ temperature: 21, condition: "cloudy" });
  },
});
const run = await client.beta.messages.toolRunner({
  model,
  messages: [{ role: "user", content: "What is the weather in Paris?" }],
  temperature: 0,
  max_tokens: 100,
  tools: [weather],
});

const models = [];
for await (const each of client.models.list({ limit: 1 })) models.push(each.id);
let refused = null;
try {
  await client.messages.create({ ...request, temperature: 2 });
} catch (error) {
  refused = { is400: error instanceof Anthropic.BadRequestError, type: error.type };
}
console.log(JSON.stringify({ whole, kinds, streamed, counted, asked, run, models, refused }));
