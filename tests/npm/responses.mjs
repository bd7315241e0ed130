// Asks for responses of the model argv[3] at argv[2], whole, streamed, in the background, and
// with a tool; prints what came as JSON.
import OpenAI from "openai";

const [url, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
const asked = { model, temperature: 0, max_output_tokens: 64 };
const input = "Repeat after me: stone";
const tools = [
  {
    type: "function",
    name: "get_weather",
    description: "Get the current weather for a city.",
    parameters: {
      type: "object",
      properties: { city: { type: "string" } },
      required: ["city"],
      additionalProperties: false,
    },
    strict: true,
  },
];

const whole = await client.responses.create({ ...asked, input });

const events = [];
const stream = client.responses.stream({ ...asked, input });
for await (const event of stream) events.push(event);
const final = await stream.finalResponse();

const call = client.responses.stream({ ...asked, input: "What is the weather in Paris?", tools });
let pieces = "";
call.on("response.function_call_arguments.delta", ({ delta }) => (pieces += delta));
const called = (await call.finalResponse()).output[0];

const followed = await client.responses.create({
  ...asked,
  input: "Repeat after me: river",
  previous_response_id: whole.id,
});
const items = [];
for await (const item of client.responses.inputItems.list(followed.id)) items.push(item.type);

const begun = await client.responses.create({ ...asked, input, background: true, stream: true });
const before = [];
for await (const event of begun) {
  before.push(event);
  if (before.length === 2) break;
}
const after = [];
const { id } = before[0].response;
const resumed = await client.responses.retrieve(id, { stream: true, starting_after: 1 });
for await (const event of resumed) after.push(event);
await client.responses.delete(whole.id);

console.log(
  JSON.stringify({
    whole: whole.output_text,
    usage: whole.usage,
    final: final.output_text,
    finalUsage: final.usage,
    types: events.map((event) => event.type),
    numbers: events.map((event) => event.sequence_number),
    delta: events.map((event) => event.delta ?? "").join(""),
    called: { name: called.name, arguments: called.arguments, pieces },
    followed: followed.output_text,
    items,
    resumedNumbers: [...before, ...after].map((event) => event.sequence_number),
    resumed: after.at(-1).response.output_text ?? after.at(-1).response.output[0].content[0].text,
  }),
);
