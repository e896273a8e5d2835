// Validate token responses with LibreChat's OpenID library: reads a JSON array of cases from
// standard input, and writes one of errors to standard output, null for an accepted response.
//
// A case: { answer, refreshed, issuer, client_id, nonce, algorithms }.
import { text } from 'node:stream/consumers';
import * as client from 'openid-client';

async function judge({ answer, refreshed, issuer, client_id, nonce, algorithms }) {
  const server = {
    issuer,
    token_endpoint: `${issuer}oauth/token`,
    id_token_signing_alg_values_supported: algorithms,
  };
  const configuration = new client.Configuration(server, client_id, { client_secret: 'x' });
  configuration[client.customFetch] = async () => new Response(
    JSON.stringify(answer), { headers: { 'content-type': 'application/json' } });
  try {
    const tokens = refreshed
      ? await client.refreshTokenGrant(configuration, 'r')
      : await client.authorizationCodeGrant(configuration, new URL(`${issuer}?code=c`),
        { pkceCodeVerifier: 'v', expectedNonce: nonce, idTokenExpected: true });
    // LibreChat reads the claims of every response.
    return tokens.claims() ? null : 'no ID token';
  } catch (error) {
    return [error.message, error.cause?.message].filter(Boolean).join(': ');
  }
}

const cases = JSON.parse(await text(process.stdin));
console.log(JSON.stringify(await Promise.all(cases.map(judge))));
