// Only LibreChat's OpenID sign-in: the same packages, set up in the same way from the same
// variables, to test a `.env` without a LibreChat.
//
// Usage: node librechat_login.mjs ENV_FILE PORT
//
// A sign-in at /oauth/openid ends at /, which returns as JSON what LibreChat would then have:
// the user, the validated bearer token, and the same after a refresh.
import { createHash, randomBytes } from 'node:crypto';
import dotenv from 'dotenv';
import express from 'express';
import session from 'express-session';
import jwt from 'jsonwebtoken';
import jwksRsa from 'jwks-rsa';
import * as client from 'openid-client';
import { Strategy } from 'openid-client/passport';
import passport from 'passport';

const [envFile, port] = process.argv.slice(2);
dotenv.config({ path: envFile });
const env = process.env;

const isEnabled = (value) => value?.trim().toLowerCase() === 'true';
const audiences = (env.OPENID_AUDIENCE ?? '').split(',').map((it) => it.trim()).filter(Boolean);
const reuseTokens = isEnabled(env.OPENID_REUSE_TOKENS);
const LOCAL_HOSTS = ['localhost', '127.0.0.1', '::1'];

let configuration = null;
let lastFailure = null;

/** Return whether the session cookie is Secure: in production, unless the server is local. */
function useSecureCookie() {
  const forced = env.SESSION_COOKIE_SECURE?.trim().toLowerCase();
  if (forced === 'true' || forced === 'false') {
    return forced === 'true';
  }
  const { hostname } = new URL(env.DOMAIN_SERVER);
  const local = LOCAL_HOSTS.includes(hostname) || hostname.endsWith('.localhost');
  return env.NODE_ENV === 'production' && !local;
}

class LibreChatStrategy extends Strategy {
  currentUrl(req) {
    return new URL(`${env.DOMAIN_SERVER}${req.originalUrl ?? req.url}`);
  }

  authorizationRequestParams(req, options) {
    const params = super.authorizationRequestParams(req, options);
    if (options?.state && !params.has('state')) {
      params.set('state', options.state);
    }
    if (audiences.length > 0) {
      params.set('audience', audiences[0]);
    }
    if (isEnabled(env.OPENID_GENERATE_NONCE) && !params.has('nonce')) {
      params.set('nonce', randomBytes(16).toString('hex'));
    }
    return params;
  }
}

/** Run discovery and register the strategy; a failure leaves it unregistered, as in LibreChat. */
async function setUpOpenId() {
  const secret = env.OPENID_CLIENT_SECRET?.trim();
  const usePKCE = isEnabled(env.OPENID_USE_PKCE);
  const complete =
    env.OPENID_CLIENT_ID && (usePKCE || secret) && env.OPENID_ISSUER && env.OPENID_SCOPE;
  if (!isEnabled(env.ALLOW_SOCIAL_LOGIN) || !complete || !env.OPENID_SESSION_SECRET) {
    lastFailure = 'OpenID is not configured';
    return;
  }
  const metadata = {
    client_id: env.OPENID_CLIENT_ID,
    response_types: ['code'],
    grant_types: ['authorization_code'],
    ...(secret ? { client_secret: secret } : {}),
  };
  try {
    configuration = await client.discovery(
      new URL(env.OPENID_ISSUER), env.OPENID_CLIENT_ID, metadata);
  } catch (error) {
    lastFailure = `discovery: ${error.message}`;
    return;
  }
  const options = {
    config: configuration,
    scope: env.OPENID_SCOPE,
    callbackURL: env.DOMAIN_SERVER + env.OPENID_CALLBACK_URL,
    clockTolerance: env.OPENID_CLOCK_TOLERANCE || 300,
    usePKCE,
  };
  passport.use('openid', new LibreChatStrategy(options, async (tokenset, done) => {
    try {
      const claims = tokenset.claims();
      const userinfo = await client
        .fetchUserInfo(configuration, tokenset.access_token, claims.sub)
        .catch(() => null);
      const email = { ...claims, ...userinfo }.email;
      // LibreChat's user model requires one.
      done(null, email ? { email, sub: claims.sub, userinfo: userinfo !== null, tokenset } : false,
        { message: "email: can't be blank" });
    } catch (error) {
      done(error);
    }
  }));
}

/** Validate LibreChat's bearer token like its `openidJwt` strategy; return the claims. */
async function validated(token) {
  const server = configuration.serverMetadata();
  const keys = jwksRsa({ jwksUri: server.jwks_uri, cache: true, cacheMaxAge: 60_000 });
  const key = (header, done) =>
    keys.getSigningKey(header.kid).then((found) => done(null, found.getPublicKey()), done);
  const claims = await new Promise((resolve, reject) =>
    jwt.verify(token, key, { audience: [env.OPENID_CLIENT_ID, ...audiences] }, (error, payload) =>
      error ? reject(error) : resolve(payload)));
  if (claims.iss.replace(/\/+$/, '') !== server.issuer.replace(/\/+$/, '')) {
    throw new Error('Invalid issuer');
  }
  return claims;
}

/** Return a token's claims, or why LibreChat rejects it. */
const judged = (token) =>
  token
    ? validated(token).then((claims) => ({ claims }), (error) => ({ error: error.message }))
    : { error: 'missing' };

const judgedTokens = async (tokens) => ({
  access_token: await judged(tokens.access_token),
  id_token: await judged(tokens.id_token),
  has_refresh_token: Boolean(tokens.refresh_token),
});

async function refreshed(refreshToken) {
  const parameters = {};
  if (env.OPENID_SCOPE) {
    parameters.scope = env.OPENID_SCOPE;
  }
  if (env.OPENID_REFRESH_AUDIENCE) {
    parameters.audience = env.OPENID_REFRESH_AUDIENCE;
  }
  const tokens = await client.refreshTokenGrant(configuration, refreshToken, parameters);
  if (!tokens.claims()) {
    throw new Error('no ID token was returned');
  }
  return tokens;
}

const app = express();
app.set('trust proxy', Number(env.TRUST_PROXY) || 1);
app.use(session({
  secret: env.OPENID_SESSION_SECRET || 'unset',
  resave: false,
  saveUninitialized: false,
  cookie: { maxAge: 15 * 60 * 1000, secure: useSecureCookie() },
}));
app.use(passport.initialize());

app.get('/health', (_, res) => res.send('OK'));

app.get('/api/config', (_, res) => res.json({
  serverDomain: env.DOMAIN_SERVER,
  socialLoginEnabled: isEnabled(env.ALLOW_SOCIAL_LOGIN),
  socialLogins: ['google', 'facebook', 'openid', 'github', 'discord', 'saml'],
  openidLoginEnabled: Boolean(
    env.OPENID_CLIENT_ID && (isEnabled(env.OPENID_USE_PKCE) || env.OPENID_CLIENT_SECRET?.trim()) &&
    env.OPENID_ISSUER && env.OPENID_SESSION_SECRET),
  openidLabel: env.OPENID_BUTTON_LABEL || 'Continue with OpenID',
}));

app.get('/oauth/openid', (req, res, next) =>
  passport.authenticate('openid', { session: false, state: client.randomState() })(req, res, next));

app.get('/oauth/openid/callback', (req, res, next) =>
  passport.authenticate('openid', { session: false }, (error, user, info) => {
    if (error || !user) {
      lastFailure = error ? [error.message, error.error_description].filter(Boolean).join(': ')
        : info?.message;
      return res.redirect(`${env.DOMAIN_CLIENT}/login?redirect=false&error=auth_failed`);
    }
    const { tokenset, ...rest } = user;
    req.session.user = rest;
    if (reuseTokens && tokenset.refresh_token) {
      req.session.openidTokens = { ...tokenset };
    }
    return res.redirect(env.DOMAIN_CLIENT);
  })(req, res, next));

app.get('/login', (_, res) => res.status(401).json({ failure: lastFailure }));

app.get('/', async (req, res) => {
  const { user, openidTokens } = req.session;
  if (!user) {
    return res.redirect('/login');
  }
  if (!reuseTokens) {
    return res.json({ user });
  }
  // Without a refresh token LibreChat sets no cookie, and the user is back at the login page.
  if (!openidTokens) {
    lastFailure = 'No refresh token available';
    return res.redirect('/login');
  }
  const first = await judgedTokens(openidTokens);
  try {
    const tokens = await refreshed(openidTokens.refresh_token);
    req.session.openidTokens = { ...openidTokens, ...tokens };
    const changed = (name) =>
      createHash('sha256').update(tokens[name] ?? '').digest('hex') !==
      createHash('sha256').update(openidTokens[name]).digest('hex');
    return res.json({
      user,
      first,
      refreshed: await judgedTokens(tokens),
      access_token_is_new: changed('access_token'),
    });
  } catch (error) {
    return res.json({
      user, first, refreshed: { error: error.error_description ?? error.message } });
  }
});

app.get('/logout', (req, res) => {
  const { end_session_endpoint: endpoint } = configuration.serverMetadata();
  if (!isEnabled(env.OPENID_USE_END_SESSION_ENDPOINT) || !endpoint) {
    return res.redirect('/login');
  }
  const url = new URL(endpoint);
  url.searchParams.set('post_logout_redirect_uri',
    env.OPENID_POST_LOGOUT_REDIRECT_URI || `${env.DOMAIN_CLIENT}/login`);
  const hint = req.session.openidTokens?.id_token;
  url.searchParams.set(hint ? 'id_token_hint' : 'client_id', hint ?? env.OPENID_CLIENT_ID);
  return req.session.destroy(() => res.redirect(url.href));
});

await setUpOpenId();
app.listen(Number(port), '127.0.0.1', () => console.log(`ready on port ${port}`));
