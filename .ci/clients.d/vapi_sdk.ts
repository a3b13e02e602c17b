// Vapi's own SDK for TypeScript, with another base URL and another token, and nothing else changed.
import { VapiClient, type Vapi } from "@vapi-ai/server-sdk";

declare const process: { argv: string[] };
const [url, token] = process.argv.slice(2);
const client = new VapiClient({ environment: url, token });

function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

const NEEDED: Record<string, string[]> = {
  bot: ["message", "time", "endTime", "secondsFromStart"],
  user: ["message", "time", "endTime", "secondsFromStart"],
  system: ["message", "time", "secondsFromStart"],
  tool_calls: ["toolCalls", "message", "time", "secondsFromStart"],
  tool_call_result: ["toolCallId", "name", "result", "time", "secondsFromStart"],
};

function checkCall(call: Vapi.Call): void {
  for (const field of ["id", "orgId", "createdAt", "updatedAt"] as const) check(call[field] != null, field);
  for (const message of call.messages ?? []) {
    const needed = NEEDED[message.role];
    check(needed !== undefined, `role ${message.role}`);
    for (const field of needed) check(field in message, `${call.id}: ${message.role} has no ${field}`);
  }
}

async function refused(ask: () => PromiseLike<unknown>, status: number): Promise<void> {
  try {
    await ask();
  } catch (error) {
    check((error as { statusCode?: number }).statusCode === status, `${status}: ${error}`);
    return;
  }
  throw new Error(`${status} was not raised`);
}

const calls = await client.calls.list({ limit: 1000 });
check(calls.length > 20, "too few calls");
calls.forEach(checkCall);
const middle = calls[Math.floor(calls.length / 2)].createdAt;
const filters: Vapi.ListCallsRequest[] = [
  { id: "clients-whole" },
  { assistantId: "clients-assistant" },
  { phoneNumberId: "clients-number" },
  { createdAtGt: middle },
  { createdAtGe: middle },
  { createdAtLt: middle },
  { createdAtLe: middle },
  { updatedAtGe: calls[0].updatedAt },
  { updatedAtLe: calls[0].updatedAt },
];
for (const filter of filters) {
  const found = await client.calls.list({ limit: 1000, ...filter });
  check(found.length > 0 && found.length <= calls.length, JSON.stringify(filter));
}
const call = await client.calls.get({ id: "clients-whole" });
checkCall(call);
const roles = (call.messages ?? []).map((message) => message.role).join();
check(roles === "system,bot,user,tool_calls,tool_call_result", roles);
check(call.costs?.length === 3, "costs");
check(call.artifact?.variableValues?.plan === "gold", "variableValues");
check(call.phoneCallProvider === "twilio", "phoneCallProvider");

const figures = await client.analytics.get({
  queries: [
    {
      table: "call",
      name: "all",
      operations: [{ operation: "count", column: "id" }],
      timeRange: { start: "2020-01-01T00:00Z", end: "2029-01-01T00:00Z" },
    },
  ],
});
check(Number(figures[0].result[0].countId) === calls.length, "figures and list count alike");

await refused(() => client.calls.get({ id: "nobody" }), 404);
await refused(() => client.calls.list({ limit: 5000 }), 400);
await refused(() => new VapiClient({ environment: url, token: "wrong" }).calls.list(), 401);
await refused(() => client.assistants.list(), 404);
console.log(`@vapi-ai/server-sdk: ${calls.length} calls read`);
