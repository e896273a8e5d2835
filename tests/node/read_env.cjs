// Reads env files as LibreChat's dotenv and as the newest do. Standard input: a JSON list of
// base64 texts. Standard output: a JSON list of [LibreChat's, newest] readings.
const librechats = require('dotenv');
const newest = require('dotenv-newest');

const texts = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const readings = texts.map((text) => {
  const source = Buffer.from(text, 'base64').toString('utf8');
  return [librechats.parse(source), newest.parse(source)];
});
process.stdout.write(JSON.stringify(readings));
