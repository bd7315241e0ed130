// Lets OpenAI's client run a tool for the model argv[3] at argv[2], whole and streamed; prints JSON.
import OpenAI from "openai";

const [url, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: "none", maxRetries: 0 });
const asked = [];
const request = {
  model,
  messages: [{ role: "user", content: "What is the weather in Paris?" }],
  temperature: 0,
  tools: [
    {
      type: "function",
      function: {
        name: "get_weather",
        description: "Get the current weather for a city.",
        parameters: {
          type: "object",
          properties: { city: { type: "string" } },
          required: ["city"],
        },
        parse: JSON.parse,
        function: (city) => {
          asked.push(city);
          return { temperature: 21, condition: "cloudy" };
        },
      },
    },
  ],
};

const whole = await client.chat.completions.runTools(request).finalContent();
const streamed = await client.chat.completions
  .runTools({ ...request, stream: true })
  .finalContent();
console.log(JSON.stringify({ asked, whole, streamed }));
