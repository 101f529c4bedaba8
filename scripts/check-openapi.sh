#!/usr/bin/env bash
# What linters and generators make of a server's /openapi.json, in a folder of its own that is removed again:
#
#     scripts/check-openapi.sh http://127.0.0.1:8080
#
# redocly and spectral must find nothing; openapi-typescript and orval must give clients that compile. The packages come from npm;
# orval is left out where Node is too old for it. The test suite does the same with openapi-typescript and redocly's rules alone.
set -euo pipefail

url=${1:?give the URL of a server, such as http://127.0.0.1:8080}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

curl --fail --silent --show-error "$url/openapi.json" --output openapi.json
echo '{"private":true,"type":"module"}' > package.json
npm install --no-audit --no-fund --ignore-scripts --loglevel=error \
  @redocly/cli@2 @stoplight/spectral-cli@6 openapi-typescript@7 orval@7 typescript@5

npx redocly lint openapi.json --extends recommended-strict
echo 'extends: ["spectral:oas"]' > .spectral.yaml
npx spectral lint openapi.json --fail-severity hint

compile() {
  npx tsc --noEmit --strict --skipLibCheck --target es2022 --lib es2022,dom --module nodenext --moduleResolution nodenext "$1"
}
npx openapi-typescript openapi.json --output types.ts
compile types.ts
cat > orval.config.cjs <<CONFIG
module.exports = { api: { input: 'openapi.json', output: { target: 'orval.ts', client: 'fetch', baseUrl: '$url' } } };
CONFIG
npx orval --config orval.config.cjs
compile orval.ts
echo "no fault found in $url/openapi.json"
