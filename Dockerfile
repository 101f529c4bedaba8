# syntax=docker/dockerfile:1

# Builds with the toolchain that native addons need, runs without it.
#
#   docker build -t shortlist .
#   docker run -p 8080:8080 -v "$PWD/indexes:/indexes:ro" shortlist
#   docker run -v "$PWD/indexes:/indexes" -v "$PWD/data:/data:ro" shortlist build listings --input /data/listings.arrow

FROM node:22-bookworm AS build
WORKDIR /app
# Dependencies change less often than sources: they are a layer of their own. `npm ci` alone would compile src/, which is not
# there yet: what it would run before that is named instead.
COPY package.json package-lock.json .npmrc ./
COPY src/engine/native ./src/engine/native
COPY src/serve/channel/sockets ./src/serve/channel/sockets
RUN npm ci --ignore-scripts && npm rebuild hnswlib-node && npm run build:native
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.ts ./scripts/build.ts
COPY scripts/build ./scripts/build
COPY src ./src
# Clients of object stores are optional for users of the package. The image has them, in the versions that tests use. npm
# takes away what only development needs.
RUN npm run build \
 && npm install --omit=dev --ignore-scripts --no-audit --no-fund --save-prod --save-exact \
      $(node -p 'const { devDependencies: all } = require("./package.json"); ["@aws-sdk/client-s3", "@google-cloud/storage"].map((name) => name + "@" + all[name]).join(" ")') \
 && cp src/engine/native/build/Release/shortlist_native.node dist/engine/native/ \
 && cp src/serve/channel/sockets/build/Release/shortlist_sockets.node dist/serve/channel/sockets/

FROM node:22-bookworm-slim AS runtime
ENV NODE_ENV=production \
    SHORTLIST_ROOT=/indexes \
    SHORTLIST_HOST=0.0.0.0 \
    SHORTLIST_PORT=8080
WORKDIR /app
COPY --from=build /app/package.json ./package.json
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# Serving only reads; mount it read-only. It is the user's to write when the container builds.
# `shortlist` is a command in the container: for scripts of several commands, and for `docker exec`.
RUN mkdir /indexes && chown node:node /indexes && ln -s /app/dist/cli/main.js /usr/local/bin/shortlist
VOLUME /indexes
USER node
EXPOSE 8080
# The process handles SIGTERM itself, as PID 1 too: it drains, and ends with 0.
STOPSIGNAL SIGTERM
# Live, not ready: an index that is not published yet is no reason to restart the container. It asks where the server listens, by
# its flags and variables, and says yes in a container that runs another command.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["node", "/app/dist/serve/health-check.js"]
ENTRYPOINT ["node", "/app/dist/cli/main.js"]
CMD ["serve"]
