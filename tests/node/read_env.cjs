// Reads env files as LibreChat's dotenv and as the newest do. Each line of standard input is a
// JSON list of base64 texts, each line of standard output the JSON list of their readings:
// [LibreChat's, newest], or [LibreChat's] where both are the same.
const librechats = require('dotenv');
const newest = require('dotenv-newest');
const { createInterface } = require('readline');

const readings = (text) => {
  const source = Buffer.from(text, 'base64').toString('utf8');
  const both = [librechats.parse(source), newest.parse(source)];
  return JSON.stringify(both[0]) === JSON.stringify(both[1]) ? both.slice(0, 1) : both;
};

createInterface({ input: process.stdin, crlfDelay: Infinity }).on('line', (line) => {
  process.stdout.write(`${JSON.stringify(JSON.parse(line).map(readings))}\n`);
});
