// Reads YAML like LibreChat. Standard input is a JSON list of base64 texts, standard output the
// JSON list of their contents; null if js-yaml rejects one.
const yaml = require('js-yaml');
const { text } = require('stream/consumers');

const content = (base64) => {
  try {
    return yaml.load(Buffer.from(base64, 'base64').toString('utf8'));
  } catch {
    return null;
  }
};

text(process.stdin).then((asked) => {
  process.stdout.write(JSON.stringify(JSON.parse(asked).map(content)));
});
