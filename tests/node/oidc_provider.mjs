// npm's certified `oidc-provider`, set up like Auth0: APIs are requested by `audience`, and errors
// have Auth0's status and texts. Its behaviour (PKCE, rotation, grants, redirect URIs, signatures)
// is unchanged.
//
// Any password is accepted, and the login is the user's email address.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import Provider, { errors } from 'oidc-provider';

const env = process.env;
const issuer = new URL(env.ISSUER);
const publicClient = env.AUTH_METHOD === 'none';
const grants = (env.GRANT_TYPES ?? 'authorization_code refresh_token').split(' ');

// Made by Python: in Node 20, exporting a key that was generated in the same process can hang. A
// garbage collection during the export ends the generation, whose destructor waits for the key's
// lock, which the export holds.
const key = { ...JSON.parse(env.SIGNING_KEY), use: 'sig', alg: 'RS256', kid: 'one' };

function api(ctx, audience, client) {
  if (audience !== env.AUDIENCE) {
    throw new errors.AccessDenied(`Service not found: ${audience}`);
  }
  if (env.API_POLICY === 'require_client_grant') {
    throw new errors.InvalidRequest(
      `Client "${client.clientId}" is not authorized to access resource server "${audience}".`);
  }
  return {
    scope: 'openid profile email offline_access',
    audience,
    accessTokenFormat: 'jwt',
    accessTokenTTL: 86_400,
    jwt: { sign: { alg: 'RS256' } },
  };
}

const provider = new Provider(env.ISSUER, {
  clients: [{
    client_id: env.CLIENT_ID,
    ...(publicClient ? {} : { client_secret: env.CLIENT_SECRET }),
    token_endpoint_auth_method: env.AUTH_METHOD ?? 'client_secret_post',
    grant_types: grants,
    response_types: grants.includes('authorization_code') ? ['code'] : [],
    redirect_uris: [env.CALLBACK_URL],
    post_logout_redirect_uris: [env.LOGOUT_URL],
    id_token_signed_response_alg: env.ID_TOKEN_ALG ?? 'RS256',
  }],
  jwks: { keys: [key] },
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'HS256'] },
  cookies: { keys: [randomBytes(16).toString('hex')] },
  routes: {
    authorization: '/authorize',
    token: '/oauth/token',
    userinfo: '/userinfo',
    jwks: '/.well-known/jwks.json',
    end_session: '/oidc/logout',
  },
  scopes: ['openid', 'profile', 'email', 'offline_access'],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'nickname'] },
  conformIdTokenClaims: false,
  extraParams: ['audience'],
  pkce: { required: () => publicClient },
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: () => ({
      sub: id, email: id, email_verified: true, name: 'Demo User', nickname: 'demo' }),
  }),
  issueRefreshToken: (ctx, client, code) =>
    client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access') &&
    env.ALLOW_OFFLINE_ACCESS !== 'false',
  rotateRefreshToken: () => env.ROTATE !== 'false',
  features: {
    devInteractions: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (ctx, client, oneOf) => oneOf ?? ctx.oidc.params.audience,
      getResourceServerInfo: api,
      useGrantedResource: () => true,
    },
  },
  renderError(ctx, { error, error_description: description }) {
    const { client_id: clientId, redirect_uri: redirectUri } = ctx.oidc?.params ?? {};
    let text = `${error}: ${description}`;
    if (error === 'invalid_client') {
      text = `invalid_request: Unknown client: ${clientId}`;
    } else if (error === 'invalid_redirect_uri') {
      ctx.status = 403;
      text = `unauthorized_client: Callback URL mismatch. ${redirectUri} is not in the list of`
        + ' allowed callback URLs';
    }
    const escaped = text.replace(/[&<>"']/g, (it) => `&#${it.charCodeAt(0)};`);
    ctx.type = 'html';
    ctx.body = `<!doctype html><title>Error</title><h1>Oops!, something went wrong</h1>${escaped}`;
  },
});

const TOKEN_ERRORS = {
  invalid_client: () => [401, 'access_denied', 'Unauthorized'],
  invalid_grant: (grant) => [403, 'invalid_grant', grant === 'refresh_token'
    ? 'Unknown or invalid refresh token.' : 'Invalid authorization code'],
  unauthorized_client: (grant) => [403, 'unauthorized_client',
    `Grant type '${grant}' not allowed for the client.`],
};

provider.use(async (ctx, next) => {
  // Without prompt=consent this provider drops offline_access; Auth0 does not.
  const { prompt, scope = '' } = ctx.query;
  if (ctx.path === '/authorize' && !prompt && scope.split(' ').includes('offline_access')) {
    ctx.query = { ...ctx.query, prompt: 'consent' };
  }
  await next();
  if (ctx.path === '/oauth/token' && ctx.body?.error) {
    const grant = ctx.oidc?.params?.grant_type;
    const notAllowed = ctx.body.error_description?.includes('grant type is not allowed');
    const words = TOKEN_ERRORS[notAllowed ? 'unauthorized_client' : ctx.body.error]?.(grant);
    if (words) {
      [ctx.status, ctx.body.error, ctx.body.error_description] = words;
    }
  }
});

const tls = { cert: readFileSync(env.CERTIFICATE), key: readFileSync(env.KEY) };
createServer(tls, provider.callback()).listen(Number(issuer.port), '127.0.0.1', () =>
  console.log(`ready at ${issuer}`));
