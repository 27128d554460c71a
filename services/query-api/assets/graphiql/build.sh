#!/bin/sh
# Makes graphiql.js.gz, graphiql.css.gz and LICENSES.txt anew from the npm packages of package.json. Run by hand
# when a version changes; needs node and npm. Nothing of it runs in a normal build.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here/package.json" "$here/entry.jsx" "$work"
cd "$work"
npm install --no-audit --no-fund --silent
npx esbuild entry.jsx --bundle --minify --format=iife --target=es2022 --jsx=automatic --legal-comments=none \
    '--define:process.env.NODE_ENV="production"' --metafile=meta.json --outfile=graphiql.js
# Without the web fonts that the style sheet carries inside: the system's do as well, and have no licence of their own.
node -e '
const fs = require("fs");
const css = fs.readFileSync("node_modules/graphiql/graphiql.css", "utf8").replace(/@font-face\s*\{[^}]*\}/g, "");
fs.writeFileSync("plain.css", css);
const names = new Set(Object.keys(JSON.parse(fs.readFileSync("meta.json")).inputs)
  .map((path) => path.match(/^.*node_modules\/((?:@[^/]+\/)?[^/]+)\//)).filter(Boolean)
  .map((match) => match[0].slice(0, -1)));
const texts = [...names].sort().map((folder) => {
  const about = JSON.parse(fs.readFileSync(folder + "/package.json"));
  const file = fs.readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
  const text = file ? fs.readFileSync(folder + "/" + file, "utf8").trim() : "(no licence file; see package.json: " + about.license + ")";
  return "=== " + about.name + " " + about.version + " (" + about.license + ")\n\n" + text + "\n";
});
fs.writeFileSync("LICENSES.txt", texts.join("\n"));
'
npx esbuild plain.css --minify --outfile=graphiql.css
gzip -9 -n graphiql.js graphiql.css
cp graphiql.js.gz graphiql.css.gz LICENSES.txt "$here"
