// The generated TypeScript client reads a page and a call.
import createClient from "openapi-fetch";
import type { paths } from "./api.js";

declare const process: { argv: string[] };
const [url, key] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: url, headers: { authorization: `Bearer ${key}` } });

function must<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new Error(what);
  return value;
}

const { data: page } = await client.GET("/v1/calls", { params: { query: { limit: 5, direction: "inbound" } } });
const calls = must(page, "no page").data;
if (calls.length === 0 || calls.some((call) => call.direction !== "inbound")) throw new Error("another page");
const { data: call } = await client.GET("/v1/calls/{call_id}", { params: { path: { call_id: calls[0].call_id } } });
must(must(call, "no call").messages, "no messages");
const { data: summary } = await client.GET("/v1/analytics/summary", {});
if (must(summary, "no summary").calls <= 0) throw new Error("no calls");
const { error } = await client.GET("/v1/calls", { params: { query: { limit: 9999 } } });
if (must(error, "no refusal").code !== "invalid-parameter") throw new Error("another refusal");
console.log(`generated TypeScript client: ${summary?.calls} calls counted`);
