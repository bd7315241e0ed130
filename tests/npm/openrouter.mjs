// Asks the server at argv[2] through OpenRouter's client, whole and streamed, and for what it knows
// of models, generations and credits; prints what came as JSON.
import { OpenRouter } from "@openrouter/sdk";

const [url, model] = process.argv.slice(2);
const client = new OpenRouter({ apiKey: "none", serverURL: `${url}/api/v1`, appTitle: "Test" });
const chatRequest = {
  model,
  messages: [{ role: "user", content: "Repeat after me: stone" }],
  temperature: 0,
  maxTokens: 24,
};

const whole = await client.chat.send({ chatRequest });
let streamed = "";
let usage = null;
let id = null;
const stream = await client.chat.send({ chatRequest: { ...chatRequest, stream: true } });
for await (const chunk of stream) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
  usage = chunk.usage ?? usage;
  id = chunk.id;
}
const asked = { model, input: "Repeat after me: stone", temperature: 0, maxOutputTokens: 24 };
const response = await client.callModel(asked).getResponse();
let deltas = "";
for await (const delta of client.callModel(asked).getTextStream()) deltas += delta;
const { data: generation } = await client.generations.getGeneration({ id });
const models = await client.models.list();
const { data: credits } = await client.credits.getCredits();

console.log(
  JSON.stringify({
    whole: whole.choices[0].message.content,
    wholeUsage: whole.usage,
    streamed,
    usage,
    generation,
    models: models.result.data.map((each) => each.id),
    credits,
    response: { text: response.outputText ?? response.output[0].content[0].text, deltas },
    responseUsage: response.usage,
  }),
);
