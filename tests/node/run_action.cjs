// Runs a post-login Action for each event on standard input; prints what it did.
const cases = JSON.parse(require("node:fs").readFileSync(0, "utf8"));

async function run({ code, event }) {
  const module = { exports: {} };
  new Function("exports", code)(module.exports);
  const done = { denial: "", claims: {} };
  await module.exports.onExecutePostLogin(event, {
    access: { deny: (reason) => { done.denial = reason; } },
    idToken: { setCustomClaim: (name, value) => { done.claims[name] = value; } },
  });
  return done;
}

Promise.all(cases.map(run)).then((done) => console.log(JSON.stringify(done)));
