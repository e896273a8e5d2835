// Reads env files with LibreChat's dotenv and with the newest. Each line of standard input is a
// JSON list of base64 texts, each line of standard output the JSON list of their values:
// [LibreChat's, newest], or [LibreChat's] if both are the same.
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
