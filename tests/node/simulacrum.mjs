// @simulacrum/auth0-simulator on loopback, configured by the environment.
// Its certificates are in $HOME/.simulacrum/certs.
import { createRequire } from 'node:module';

// Only its CommonJS build can sign; the other fails with "jwt.sign is not a function".
const { simulation } = createRequire(import.meta.url)('@simulacrum/auth0-simulator');
const { PORT, CLIENT_ID, AUDIENCE, EMAIL, PASSWORD } = process.env;

await simulation({
  options: {
    port: Number(PORT),
    clientID: CLIENT_ID,
    audience: AUDIENCE,
    scope: 'openid profile email offline_access',
  },
  initialState: { users: [{ name: 'Demo User', email: EMAIL, password: PASSWORD }] },
}).listen(Number(PORT), '127.0.0.1');
console.log(`ready on port ${PORT}`);
