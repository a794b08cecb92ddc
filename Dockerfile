# One image for every role; `docker/start.mjs` takes the program's name.
# No step needs BuildKit, so that `docker-compose` 1.29 builds it too.
FROM node:22-bookworm-slim AS build
WORKDIR /app
# Manifests first: a change of the code does not fetch the dependencies again.
COPY package.json package-lock.json .npmrc ./
COPY shared/package.json shared/
COPY rabbitmq/package.json rabbitmq/
COPY head-node/package.json head-node/
COPY provider-node/package.json provider-node/
COPY head-node/simulator/package.json head-node/simulator/
COPY user-client/package.json user-client/
COPY benchmarks/package.json benchmarks/
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build -- head-node provider-node user-client
# ONNX Runtime brings libraries for every system: 240 MB that this image has no use for.
RUN npm prune --omit=dev --ignore-scripts --no-audit --no-fund \
 && find node_modules/onnxruntime-node/bin -mindepth 3 -maxdepth 3 ! -path "*/linux/$(node -p process.arch)" -exec rm -r {} +

FROM node:22-bookworm-slim
LABEL org.opencontainers.image.title="Muster" \
      org.opencontainers.image.description="Head, provider and client of a Muster cluster" \
      org.opencontainers.image.licenses="MIT"
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app ./
# An empty named volume takes owner and mode from the directory that it is mounted over: nothing has to start as root.
RUN mkdir -p /var/lib/muster && cd /etc && mkdir -p muster/head muster/keeper muster/observer muster/broker \
    muster/join/provider muster/join/client \
 && chown -R node:node /var/lib/muster muster && chmod 700 /var/lib/muster muster/head muster/keeper muster/observer muster/join/provider muster/join/client
USER node
ENTRYPOINT ["node", "/app/docker/start.mjs"]
