// Holds the lab's answers about policies against @cloud-copilot/iam-simulate. It reads the
// lines of iamcases, and prints each disagreement and the sum. The first argument is the
// folder in which the package is installed.
import { createInterface } from "node:readline";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { readFileSync } from "node:fs";

const modules = join(process.argv[2], "node_modules", "@cloud-copilot");
// The package's own entrance takes no session policy where it checks no keys.
const of = (...path) => import(pathToFileURL(join(modules, ...path)));
const { authorize } = await of("iam-simulate", "dist/esm/core_engine/CoreSimulatorEngine.js");
const { AwsRequestImpl } = await of("iam-simulate", "dist/esm/request/request.js");
const { RequestContextImpl } = await of("iam-simulate", "dist/esm/requestContext.js");
const { DiscoveryContextKeyConstraints } = await of("iam-simulate", "dist/esm/context_keys/discoveryContextKeyConstraints.js");
const { loadPolicy } = await of("iam-policy", "dist/esm/index.js");
const version = JSON.parse(readFileSync(join(modules, "iam-simulate", "package.json"))).version;

const read = (text) => loadPolicy(JSON.parse(text), { name: "policy" });
const account = (arn) => arn.split(":")[4];

function decide(q) {
  const context = Object.fromEntries(Object.entries(q.Context ?? {}).map(([k, v]) => [k, v.length === 1 ? v[0] : v]));
  const session = q.Federated || `arn:aws:sts::${account(q.Role)}:assumed-role/${q.Role.split("/").pop()}/${q.Session}`;
  const answer = authorize({
    request: new AwsRequestImpl(session, { resource: q.Resource, accountId: q.Owner }, q.Action, new RequestContextImpl(context)),
    sessionPolicy: q.Sessions?.length ? read(q.Sessions[0]) : undefined,
    identityPolicies: (q.Identity ?? []).map(read),
    serviceControlPolicies: [], resourceControlPolicies: [], vpcEndpointPolicies: undefined, serviceSettings: {},
    resourcePolicy: q.Policy ? read(q.Policy) : undefined,
    permissionBoundaries: q.Boundary ? [read(q.Boundary)] : undefined,
    simulationParameters: { simulationMode: "Strict", discoveryContextKeyConstraints: new DiscoveryContextKeyConstraints([]) },
  });
  // It asks for identity policies of a web identity as well, which has none.
  return q.Federated ? answer.resourceAnalysis.result.startsWith("Allowed") : answer.result === "Allowed";
}

let cases = 0, disagreements = 0;
const disagree = (name, text) => { disagreements++; console.log(`disagreement: iam-simulate: ${name}: ${text}`); };
for await (const line of createInterface({ input: process.stdin })) {
  const { name, question, allowed, error } = JSON.parse(line);
  cases++;
  try {
    const other = decide(question);
    if (error || other !== allowed) disagree(name, `the lab says ${error ?? allowed}, iam-simulate ${other}: ${JSON.stringify(question)}`);
  } catch (e) {
    disagree(name, `${e.stack}: ${JSON.stringify(question)}`);
  }
}
console.log(`judge: iam-simulate ${version}: ${cases} cases, ${disagreements} disagreements`);
